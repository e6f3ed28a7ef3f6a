//! What a client asks of a sliding sync, checked and compiled.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    ops::Range,
    sync::Arc,
    time::Duration,
};

use ruma::{
    OwnedRoomId, UInt, UserId,
    api::client::sync::sync_events::v5::{
        Request,
        request::{ExtensionRoomConfig, Extensions, List, ListFilters},
    },
    events::StateEventType,
};

use super::required_state::RequiredState;
use crate::{BadToken, SyncToken, token::Ephemeral};

/// The longest name of a connection; the proposal asks for 16 characters at most.
const LONGEST_NAME: usize = 64;

const MOST_LISTS: usize = 32;
const MOST_RANGES: usize = 32;
const MOST_SUBSCRIPTIONS: usize = 1_000;
const MOST_STATE: usize = 256;
const MOST_SELECTED: usize = 1_000;
const MOST_THREADS: usize = 100;

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub enum SlidingRefusal {
    /// The name of the connection is too long, or has control characters.
    #[error("conn_id: at most {LONGEST_NAME} characters, and no control characters")]
    BadName,
    /// There is too much of something.
    #[error("{0}: more than {1}")]
    TooMany(&'static str, usize),
    /// A range ends before it begins.
    #[error("lists: a range ends before it begins")]
    BadRange,
    /// A token for messages to devices is none.
    #[error("extensions.to_device.since: {0}")]
    BadToDevice(#[source] BadToken),
}

/// What a client asks.
pub struct SlidingRequest {
    pub(super) position: Option<String>,
    pub(super) connection: String,
    pub(super) timeout: Duration,
    pub(super) lists: Vec<(String, AskedList)>,
    pub(super) subscriptions: Vec<(OwnedRoomId, Wanted)>,
    pub(super) extensions: AskedExtensions,
    pub(super) txn_id: Option<String>,
}

/// One list: the rooms that pass, the liveliest first, and which part of them is in view.
pub(super) struct AskedList {
    /// First place and the one behind the last, in order and apart from each other.
    pub(super) ranges: Vec<Range<usize>>,
    pub(super) filters: Option<ListFilters>,
    pub(super) wanted: Wanted,
}

/// What is told of a room. Cloning shares it: most rooms in view are told in the same way.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) state: Arc<RequiredState>,
    /// A number for the state.
    pub(super) hash: u64,
    pub(super) timeline: u32,
}

/// The extensions that are switched on.
#[derive(Default)]
pub(super) struct AskedExtensions {
    pub(super) to_device: Option<ToDevice>,
    pub(super) e2ee: bool,
    pub(super) account_data: Option<Selection>,
    pub(super) receipts: Option<Selection>,
    pub(super) typing: Option<Selection>,
    /// How many changes of threads that are followed are told, at most.
    pub(super) threads: Option<usize>,
}

/// Messages to the device: from where, and how many.
pub(super) struct ToDevice {
    pub(super) since: Option<SyncToken>,
    pub(super) limit: usize,
}

/// Of which rooms in view an extension tells.
#[derive(Clone, Debug, Hash)]
pub(super) struct Selection {
    /// All lists, when absent.
    lists: Option<Vec<String>>,
    /// All subscriptions, when absent.
    rooms: Option<Vec<Option<OwnedRoomId>>>,
}

impl SlidingRequest {
    /// Checks and compiles what a client sent.
    pub fn compile(request: Request, reader: &UserId) -> Result<Self, SlidingRefusal> {
        let connection = request.conn_id.unwrap_or_default();
        if connection.chars().count() > LONGEST_NAME || connection.chars().any(char::is_control) {
            return Err(SlidingRefusal::BadName);
        }
        bounded("lists", request.lists.len(), MOST_LISTS)?;
        let subscriptions = request.room_subscriptions;
        bounded(
            "room_subscriptions",
            subscriptions.len(),
            MOST_SUBSCRIPTIONS,
        )?;
        let lists = request.lists.into_iter();
        let lists = lists.map(|(name, list)| Ok((name, AskedList::compile(list, reader)?)));
        let subscriptions = subscriptions.into_iter().map(|(room, asked)| {
            let wanted =
                Wanted::compile(&asked.required_state, asked.timeline_limit.into(), reader)?;
            Ok((room, wanted))
        });
        Ok(Self {
            position: request.pos,
            connection,
            timeout: request.timeout.unwrap_or(Duration::ZERO),
            lists: lists.collect::<Result<_, _>>()?,
            subscriptions: subscriptions.collect::<Result<_, _>>()?,
            extensions: AskedExtensions::compile(request.extensions)?,
            txn_id: request.txn_id,
        })
    }
}

impl SlidingRequest {
    /// Whether there may be any room in view.
    pub(super) fn asks_for_rooms(&self) -> bool {
        !self.lists.is_empty() || !self.subscriptions.is_empty()
    }
}

impl AskedList {
    fn compile(list: List, reader: &UserId) -> Result<Self, SlidingRefusal> {
        bounded("lists: ranges", list.ranges.len(), MOST_RANGES)?;
        let details = &list.room_details;
        Ok(Self {
            ranges: ranges(&list.ranges)?,
            wanted: Wanted::compile(
                &details.required_state,
                details.timeline_limit.into(),
                reader,
            )?,
            filters: list.filters,
        })
    }
}

/// Ranges as clients give them, both ends included: put in order, and joined where they meet.
fn ranges(given: &[(UInt, UInt)]) -> Result<Vec<Range<usize>>, SlidingRefusal> {
    let place = |place: UInt| usize::try_from(u64::from(place)).unwrap_or(usize::MAX);
    let mut ranges = Vec::with_capacity(given.len());
    for (first, last) in given {
        if last < first {
            return Err(SlidingRefusal::BadRange);
        }
        ranges.push(place(*first)..place(*last).saturating_add(1));
    }
    ranges.sort_unstable_by_key(|range| range.start);
    let mut apart: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match apart.last_mut().filter(|before| range.start <= before.end) {
            Some(before) => before.end = before.end.max(range.end),
            None => apart.push(range),
        }
    }
    Ok(apart)
}

impl Wanted {
    fn compile(
        state: &[(StateEventType, String)],
        timeline: u64,
        reader: &UserId,
    ) -> Result<Self, SlidingRefusal> {
        bounded("required_state", state.len(), MOST_STATE)?;
        let state = RequiredState::compile(state, reader);
        Ok(Self {
            hash: hash_of(&state),
            state: Arc::new(state),
            timeline: u32::try_from(timeline).unwrap_or(u32::MAX),
        })
    }

    /// Both of what two parts of a request want of one room.
    pub(super) fn join(&mut self, other: &Self) {
        self.timeline = self.timeline.max(other.timeline);
        if self.hash != other.hash {
            let state = Arc::make_mut(&mut self.state);
            state.join(&other.state);
            self.hash = hash_of(state);
        }
    }
}

impl AskedExtensions {
    fn compile(asked: Extensions) -> Result<Self, SlidingRefusal> {
        let on = |enabled: Option<bool>| enabled == Some(true);
        let Extensions {
            to_device,
            e2ee,
            account_data,
            receipts,
            typing,
            thread_subscriptions: threads,
            ..
        } = asked;
        let select = |enabled, lists, rooms| {
            on(enabled)
                .then(|| Selection::compile(lists, rooms))
                .transpose()
        };
        Ok(Self {
            to_device: on(to_device.enabled)
                .then(|| {
                    ToDevice::compile(to_device.since.as_deref(), to_device.limit.map(Into::into))
                })
                .transpose()?,
            e2ee: on(e2ee.enabled),
            account_data: select(account_data.enabled, account_data.lists, account_data.rooms)?,
            receipts: select(receipts.enabled, receipts.lists, receipts.rooms)?,
            typing: select(typing.enabled, typing.lists, typing.rooms)?,
            threads: on(threads.enabled).then(|| {
                let limit = threads.limit.map_or(MOST_THREADS as u64, Into::into);
                usize::try_from(limit)
                    .unwrap_or(MOST_THREADS)
                    .clamp(1, MOST_THREADS)
            }),
        })
    }

    /// The token by which the client proves which messages to its device it has.
    pub(super) fn to_device_proof(&self) -> Option<SyncToken> {
        self.to_device.as_ref()?.since
    }
}

impl ToDevice {
    fn compile(since: Option<&str>, limit: Option<u64>) -> Result<Self, SlidingRefusal> {
        let since = since.map(read_to_device).transpose();
        Ok(Self {
            since: since.map_err(SlidingRefusal::BadToDevice)?,
            limit: limit.map_or(usize::MAX, |limit| {
                usize::try_from(limit).unwrap_or(usize::MAX)
            }),
        })
    }
}

/// The text of a place in a device's queue.
pub(super) fn write_to_device(epoch: i64, pos: i64) -> String {
    let token = SyncToken {
        epoch,
        pos: 0,
        to_device_pos: pos,
        ephemeral: Ephemeral::default(),
    };
    format!("d{token}")
}

fn read_to_device(text: &str) -> Result<SyncToken, BadToken> {
    text.strip_prefix('d').ok_or(BadToken)?.parse()
}

impl Selection {
    fn compile(
        lists: Option<Vec<String>>,
        rooms: Option<Vec<ExtensionRoomConfig>>,
    ) -> Result<Self, SlidingRefusal> {
        let count = lists.as_ref().map_or(0, Vec::len) + rooms.as_ref().map_or(0, Vec::len);
        bounded("extensions: lists and rooms", count, MOST_SELECTED)?;
        let room = |config| match config {
            ExtensionRoomConfig::Room(room) => Some(room),
            _ => None,
        };
        Ok(Self {
            lists,
            rooms: rooms.map(|rooms| rooms.into_iter().map(room).collect()),
        })
    }

    /// Whether the rooms of a list are told of.
    pub(super) fn has_list(&self, name: &str) -> bool {
        let has = |lists: &Vec<String>| lists.iter().any(|list| list == name || list == "*");
        self.lists.as_ref().is_none_or(has)
    }

    /// Whether a subscribed room is told of.
    pub(super) fn has_room(&self, room: &OwnedRoomId) -> bool {
        let is = |asked: &Option<OwnedRoomId>| asked.as_ref().is_none_or(|asked| asked == room);
        self.rooms.as_ref().is_none_or(|rooms| rooms.iter().any(is))
    }
}

/// A number for what is asked, never zero. Another release may give another one, which only tells
/// something again.
pub(super) fn hash_of(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish().max(1)
}

fn bounded(what: &'static str, count: usize, most: usize) -> Result<(), SlidingRefusal> {
    match count > most {
        true => Err(SlidingRefusal::TooMany(what, most)),
        false => Ok(()),
    }
}

/// Lists by name, as they stand in the answer.
pub(super) type ByList<T> = BTreeMap<String, T>;

#[cfg(test)]
mod tests {
    use ruma::uint;

    use super::*;

    #[test]
    fn ranges_are_put_in_order_and_joined() {
        let given = [
            (uint!(9), uint!(9)),
            (uint!(0), uint!(3)),
            (uint!(2), uint!(5)),
            (uint!(6), uint!(6)),
        ];
        assert_eq!(ranges(&given).unwrap(), [0..7, 9..10]);
        assert!(ranges(&[(uint!(1), uint!(0))]).is_err());
        let end = [(uint!(5), UInt::MAX)];
        assert!(ranges(&end).unwrap()[0].contains(&1_000_000));
    }
}
