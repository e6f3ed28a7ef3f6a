//! The public directory of rooms.

pub(crate) mod get_public_rooms;
pub(crate) mod get_public_rooms_filtered;
pub(crate) mod get_visibility;
pub mod page_token;
pub(crate) mod set_visibility;

use rooms::{DirectoryFrom, DirectoryNetwork, DirectoryPage, DirectoryQuery, Listing, Rooms};
use ruma::{
    ServerName, UInt,
    directory::{Filter, PublicRoomsChunk, PublicRoomsChunkInit},
};

use self::page_token::PageToken;
use crate::error::ApiError;

/// The most rooms of one page, and how many there are when a client does not say.
const LONGEST_PAGE: usize = 100;

/// A page of the directory as clients see it.
struct ListedRooms {
    chunk: Vec<PublicRoomsChunk>,
    next_batch: Option<String>,
    prev_batch: Option<String>,
    total: Option<UInt>,
}

/// Lists the published rooms that a filter lets through; a page has at least one room and at
/// most [`LONGEST_PAGE`].
async fn list(
    rooms: &Rooms,
    server: Option<&ServerName>,
    limit: Option<UInt>,
    since: Option<&str>,
    (network, filter): (DirectoryNetwork<'_>, &Filter),
) -> Result<ListedRooms, ApiError> {
    check_server(rooms, server)?;
    let from = since.map(str::parse::<PageToken>).transpose();
    let from = from.map_err(|error| ApiError::invalid_param(format_args!("since: {error}")))?;
    let limit = limit.map_or(LONGEST_PAGE, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    });
    let query = DirectoryQuery {
        network,
        term: filter.generic_search_term.as_deref(),
        kinds: &filter.room_types,
        from: from.map_or(DirectoryFrom::Start, |PageToken(from)| from),
        limit: limit.clamp(1, LONGEST_PAGE),
    };
    let page = rooms.directory(&query).await.map_err(ApiError::internal)?;
    Ok(wire_form(page))
}

fn check_server(rooms: &Rooms, server: Option<&ServerName>) -> Result<(), ApiError> {
    match server.filter(|server| *server != rooms.server_name()) {
        None => Ok(()),
        Some(other) => Err(ApiError::invalid_param(format_args!(
            "server: this server lists its own rooms only, and none of {other}"
        ))),
    }
}

fn wire_form(page: DirectoryPage) -> ListedRooms {
    let token = |from| PageToken(from).to_string();
    ListedRooms {
        chunk: page.rooms.iter().map(|listing| shown(listing)).collect(),
        next_batch: page.next.map(token),
        prev_batch: page.previous.map(token),
        total: UInt::try_from(page.total).ok(),
    }
}

fn shown(listing: &Listing) -> PublicRoomsChunk {
    let mut shown = PublicRoomsChunk::from(PublicRoomsChunkInit {
        num_joined_members: UInt::new_saturating(listing.joined),
        room_id: listing.room_id.clone(),
        world_readable: listing.world_readable,
        guest_can_join: listing.guests_may_join,
    });
    shown.name.clone_from(&listing.name);
    shown.topic.clone_from(&listing.topic);
    shown.canonical_alias.clone_from(&listing.canonical_alias);
    shown.avatar_url.clone_from(&listing.avatar_url);
    shown.join_rule = listing.join_rule.clone();
    shown.room_type.clone_from(&listing.room_type);
    shown
}
