//! Event filters, compiled from what clients send into a pure matcher.

mod event_fields;

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use ruma::{
    OwnedRoomId, OwnedUserId, RoomId, UserId,
    api::client::filter::{
        EventFormat, Filter, FilterDefinition, LazyLoadOptions, RoomEventFilter, RoomFilter,
        UrlFilter,
    },
};
use serde_json::value::RawValue;

pub use self::event_fields::EventFields;
use crate::{
    event::Pdu,
    json::{JsonRefusal, MAX_DEPTH, check_bounds},
};

/// How large the JSON of a filter may be.
pub const MAX_FILTER_BYTES: usize = 65_536;
/// How many entries each list of a filter may have.
pub const MAX_ENTRIES: usize = 1_000;

/// Why a filter was refused.
#[derive(Debug, thiserror::Error)]
pub enum FilterRefusal {
    /// It is too large or nests too deep.
    #[error(transparent)]
    Bounds(#[from] JsonRefusal),
    /// It is not a filter.
    #[error("the filter cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
    /// One of its lists is too long.
    #[error("a list of the filter has more than {MAX_ENTRIES} entries")]
    TooManyEntries,
}

/// Which events pass: by type, sender, room and whether they have a URL.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    types: Option<Vec<Glob>>,
    not_types: Vec<Glob>,
    senders: Option<HashSet<OwnedUserId>>,
    not_senders: HashSet<OwnedUserId>,
    rooms: RoomSelection,
    has_url: Option<bool>,
    /// The most events to give, when the client says so.
    pub limit: Option<usize>,
    /// Whether member events are given only for senders of what is given.
    pub lazy_load_members: bool,
    /// Whether members the client already knows are given again.
    pub include_redundant_members: bool,
    /// Whether unread counts are given per thread.
    pub unread_thread_notifications: bool,
}

/// Which rooms pass.
#[derive(Debug, Clone, Default)]
pub struct RoomSelection {
    rooms: Option<HashSet<OwnedRoomId>>,
    not_rooms: HashSet<OwnedRoomId>,
}

/// The filter of a sync, all its parts compiled.
#[derive(Debug, Clone, Default)]
pub struct SyncFilter {
    /// Which rooms are given at all.
    pub rooms: RoomSelection,
    /// Whether rooms that were left are given.
    pub include_leave: bool,
    /// What passes into timelines.
    pub timeline: EventFilter,
    /// What passes into the state of rooms.
    pub state: EventFilter,
    /// Which receipts and typing notices pass.
    pub ephemeral: EventFilter,
    /// Which account data of rooms passes.
    pub room_account_data: EventFilter,
    /// Which account data of the user passes.
    pub account_data: EventFilter,
    /// Whose presence passes.
    pub presence: EventFilter,
    /// Whether events are given as servers exchange them.
    pub federation_format: bool,
    /// Which parts of events are given, when the client says so.
    pub event_fields: Option<EventFields>,
}

impl SyncFilter {
    /// Parses and compiles the JSON of a filter.
    pub fn parse(json: &str) -> Result<Self, FilterRefusal> {
        check_bounds(json, MAX_FILTER_BYTES, MAX_DEPTH)?;
        // A struct could also be read from an array; a filter is an object.
        if !json.trim_start().starts_with('{') {
            serde_json::from_str::<&RawValue>(json)?;
            return Err(JsonRefusal::NotAnObject.into());
        }
        let definition: FilterDefinition = serde_json::from_str(json)?;
        Self::compile(&definition)
    }

    /// Compiles a filter.
    pub fn compile(definition: &FilterDefinition) -> Result<Self, FilterRefusal> {
        let RoomFilter {
            include_leave,
            account_data,
            timeline,
            ephemeral,
            state,
            not_rooms,
            rooms,
            ..
        } = &definition.room;
        Ok(Self {
            rooms: RoomSelection::compile(rooms.as_deref(), not_rooms)?,
            include_leave: *include_leave,
            timeline: EventFilter::compile(timeline)?,
            state: EventFilter::compile(state)?,
            ephemeral: EventFilter::compile(ephemeral)?,
            room_account_data: EventFilter::compile(account_data)?,
            account_data: EventFilter::compile_plain(&definition.account_data)?,
            presence: EventFilter::compile_plain(&definition.presence)?,
            federation_format: definition.event_format == EventFormat::Federation,
            event_fields: match &definition.event_fields {
                Some(paths) => {
                    bounded(paths)?;
                    Some(EventFields::new(paths))
                }
                None => None,
            },
        })
    }

    /// Whether events are given otherwise than clients usually see them.
    pub fn reshapes(&self) -> bool {
        self.federation_format || self.event_fields.is_some()
    }

    /// Whether member events are lazy-loaded, which clients ask for in either of two places.
    pub fn lazy_load_members(&self) -> bool {
        self.state.lazy_load_members || self.timeline.lazy_load_members
    }
}

impl EventFilter {
    /// Parses and compiles the JSON of a filter for the events of rooms.
    pub fn parse(json: &str) -> Result<Self, FilterRefusal> {
        check_bounds(json, MAX_FILTER_BYTES, MAX_DEPTH)?;
        let filter: RoomEventFilter = serde_json::from_str(json)?;
        Self::compile(&filter)
    }

    /// Compiles a filter for the events of rooms.
    pub fn compile(filter: &RoomEventFilter) -> Result<Self, FilterRefusal> {
        let include_redundant_members = matches!(
            filter.lazy_load_options,
            LazyLoadOptions::Enabled {
                include_redundant_members: true
            }
        );
        Ok(Self {
            types: filter.types.as_deref().map(globs).transpose()?,
            not_types: globs(&filter.not_types)?,
            senders: filter.senders.as_deref().map(set).transpose()?,
            not_senders: set(&filter.not_senders)?,
            rooms: RoomSelection::compile(filter.rooms.as_deref(), &filter.not_rooms)?,
            has_url: filter
                .url_filter
                .as_ref()
                .map(|url| matches!(url, UrlFilter::EventsWithUrl)),
            limit: limit(filter.limit),
            lazy_load_members: !filter.lazy_load_options.is_disabled(),
            include_redundant_members,
            unread_thread_notifications: filter.unread_thread_notifications,
        })
    }

    /// Compiles a filter for what belongs to no room.
    pub fn compile_plain(filter: &Filter) -> Result<Self, FilterRefusal> {
        Ok(Self {
            types: filter.types.as_deref().map(globs).transpose()?,
            not_types: globs(&filter.not_types)?,
            senders: filter.senders.as_deref().map(set).transpose()?,
            not_senders: set(&filter.not_senders)?,
            limit: limit(filter.limit),
            ..Self::default()
        })
    }

    /// Whether an event passes. Exclusion beats inclusion.
    pub fn matches(&self, event_type: &str, sender: &UserId, room: &RoomId, has_url: bool) -> bool {
        self.matches_type(event_type)
            && self.matches_sender(sender)
            && self.rooms.matches(room)
            && self.has_url.is_none_or(|wanted| wanted == has_url)
    }

    /// Whether an event passes; nobody looks into it when every event does.
    pub fn passes(&self, event: &Pdu) -> bool {
        self.passes_everything()
            || self.matches(
                event.type_name(),
                event.sender(),
                event.room_id(),
                event.facts().has_url,
            )
    }

    /// Whether events of this type pass, when nothing else is known of them.
    pub fn matches_type(&self, event_type: &str) -> bool {
        let any = |globs: &[Glob]| globs.iter().any(|glob| glob.matches(event_type));
        !any(&self.not_types) && self.types.as_deref().is_none_or(any)
    }

    /// Whether events of this sender pass, when nothing else is known of them.
    pub fn matches_sender(&self, sender: &UserId) -> bool {
        let wanted = self.senders.as_ref();
        !self.not_senders.contains(sender) && wanted.is_none_or(|wanted| wanted.contains(sender))
    }

    /// Whether events of this room pass, when nothing else is known of them.
    pub fn matches_room(&self, room: &RoomId) -> bool {
        self.rooms.matches(room)
    }

    /// Whether every event passes, so that nobody needs to look.
    pub fn passes_everything(&self) -> bool {
        self.types.is_none()
            && self.not_types.is_empty()
            && self.senders.is_none()
            && self.not_senders.is_empty()
            && self.rooms.passes_everything()
            && self.has_url.is_none()
    }
}

impl RoomSelection {
    /// Whether the room passes. Exclusion beats inclusion.
    pub fn matches(&self, room: &RoomId) -> bool {
        let wanted = self.rooms.as_ref();
        !self.not_rooms.contains(room) && wanted.is_none_or(|wanted| wanted.contains(room))
    }

    /// The only rooms that can pass, when the client names them.
    pub fn named(&self) -> Option<impl Iterator<Item = &RoomId>> {
        let rooms = self.rooms.as_ref()?.iter();
        Some(
            rooms
                .filter(|room| !self.not_rooms.contains(*room))
                .map(|room| &**room),
        )
    }

    fn compile(
        rooms: Option<&[OwnedRoomId]>,
        not_rooms: &[OwnedRoomId],
    ) -> Result<Self, FilterRefusal> {
        Ok(Self {
            rooms: rooms.map(set).transpose()?,
            not_rooms: set(not_rooms)?,
        })
    }

    fn passes_everything(&self) -> bool {
        self.rooms.is_none() && self.not_rooms.is_empty()
    }
}

/// A pattern in which `*` stands for any run of characters, and all else for itself.
#[derive(Debug, Clone)]
struct Glob(Box<[Box<str>]>);

impl Glob {
    fn new(pattern: &str) -> Self {
        Self(pattern.split('*').map(Box::from).collect())
    }

    // The first part is at the start and the last at the end; taking each part between as early as
    // it comes leaves the most room for the others. Linear in the text for each part.
    fn matches(&self, text: &str) -> bool {
        let Some((first, rest)) = self.0.split_first() else {
            return text.is_empty();
        };
        let Some((last, between)) = rest.split_last() else {
            return text == &**first;
        };
        let Some(mut left) = text.strip_prefix(&**first) else {
            return false;
        };
        for part in between {
            match left.find(&**part) {
                Some(at) => left = &left[at + part.len()..],
                None => return false,
            }
        }
        left.ends_with(&**last)
    }
}

fn globs(patterns: &[String]) -> Result<Vec<Glob>, FilterRefusal> {
    bounded(patterns)?;
    Ok(patterns.iter().map(|pattern| Glob::new(pattern)).collect())
}

fn set<T: Clone + Eq + std::hash::Hash>(entries: &[T]) -> Result<HashSet<T>, FilterRefusal> {
    bounded(entries)?;
    Ok(entries.iter().cloned().collect())
}

fn bounded<T>(entries: &[T]) -> Result<(), FilterRefusal> {
    if entries.len() > MAX_ENTRIES {
        return Err(FilterRefusal::TooManyEntries);
    }
    Ok(())
}

fn limit(limit: Option<ruma::UInt>) -> Option<usize> {
    limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX))
}
