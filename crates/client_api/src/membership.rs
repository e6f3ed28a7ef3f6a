//! Who is in a room.

pub(crate) mod ban_user;
pub(crate) mod forget_room;
pub(crate) mod get_members;
pub(crate) mod get_mutual_rooms;
pub(crate) mod invite_user;
pub(crate) mod join_room;
pub(crate) mod joined_members;
pub(crate) mod kick_user;
pub(crate) mod knock_room;
pub(crate) mod leave_room;
pub(crate) mod unban_user;

use appservices::Appservice;
use bridging::Bridging;
use rooms::{Rooms, RoomsError, RoomsRefusal};
use ruma::{OwnedRoomId, RoomAliasId, RoomId, RoomOrAliasId};

use crate::error::ApiError;

/// The room that a client names by its id or by an alias.
pub(crate) async fn named(
    asked: (&Rooms, &Bridging),
    asking: Option<&Appservice>,
    name: &RoomOrAliasId,
) -> Result<OwnedRoomId, ApiError> {
    if let Ok(room_id) = <&RoomId>::try_from(name) {
        return Ok(room_id.to_owned());
    }
    let alias = <&RoomAliasId>::try_from(name).map_err(ApiError::invalid_param)?;
    aliased(asked, asking, alias).await
}

/// The room behind an alias. A service makes the room behind one that it claims when somebody else
/// asks for it.
pub(crate) async fn aliased(
    (rooms, bridging): (&Rooms, &Bridging),
    asking: Option<&Appservice>,
    alias: &RoomAliasId,
) -> Result<OwnedRoomId, ApiError> {
    match rooms.resolve_alias(alias).await {
        Err(RoomsError::Refused(RoomsRefusal::NoSuchAlias(_)))
            if bridging.has_alias(alias, asking).await =>
        {
            Ok(rooms.resolve_alias(alias).await?)
        }
        resolved => Ok(resolved?),
    }
}
