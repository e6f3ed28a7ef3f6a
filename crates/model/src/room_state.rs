//! The state of a room in memory: parsed once, shared by all requests, cheap to clone for a batch.

mod facts;
mod layered;
mod power_levels;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use ruma::{
    UserId,
    events::room::{member::MembershipState, power_levels::RoomPowerLevels},
    room_version_rules::RoomVersionRules,
};

pub use self::facts::{BadCreateEvent, CreateFacts, JoinRule};
use self::layered::Layered;
use crate::event::Pdu;

const MEMBER: &str = "m.room.member";

/// State that can be asked for one event at a time: a room's current state, or a part of its past.
pub trait StateView {
    /// The state event in this place, if there is one.
    fn get(&self, event_type: &str, state_key: &str) -> Option<&Arc<Pdu>>;

    /// The membership of `user`; who was never here has left.
    fn membership(&self, user: &UserId) -> MembershipState {
        let event = self.get(MEMBER, user.as_str());
        let membership = event.and_then(|event| event.membership());
        membership.cloned().unwrap_or(MembershipState::Leave)
    }
}

/// A handful of state events, such as those that were in force at a point of the past.
#[derive(Debug, Clone, Default)]
pub struct PartialState(BTreeMap<(Box<str>, Box<str>), Arc<Pdu>>);

impl FromIterator<Arc<Pdu>> for PartialState {
    fn from_iter<I: IntoIterator<Item = Arc<Pdu>>>(events: I) -> Self {
        let slot = |event: Arc<Pdu>| {
            let (event_type, state_key) = event.state_slot()?;
            Some(((event_type.into(), state_key.into()), event))
        };
        Self(events.into_iter().filter_map(slot).collect())
    }
}

impl StateView for PartialState {
    fn get(&self, event_type: &str, state_key: &str) -> Option<&Arc<Pdu>> {
        self.0.get(&(event_type.into(), state_key.into()))
    }
}

/// The whole current state of one room.
///
/// A clone shares the bulk with its origin, so a batch works on a clone and throws it away when it
/// fails, also in a room of ten thousand members.
#[derive(Debug, Clone)]
pub struct RoomState {
    events: HashMap<Box<str>, Layered<Box<str>, Arc<Pdu>>>,
    create: Arc<CreateFacts>,
    power_levels: Arc<RoomPowerLevels>,
    facts: facts::Facts,
    joined: usize,
    invited: usize,
}

impl StateView for RoomState {
    fn get(&self, event_type: &str, state_key: &str) -> Option<&Arc<Pdu>> {
        self.events.get(event_type)?.get(state_key)
    }
}

impl RoomState {
    /// Starts the state of a room with its create event, which also says the room version.
    pub fn new(create: Arc<Pdu>) -> Result<Self, BadCreateEvent> {
        let facts = CreateFacts::read(&create)?;
        let authorization = &facts.rules.authorization;
        let mut state = Self {
            power_levels: Arc::new(power_levels::effective(
                None,
                &facts.creators,
                authorization,
            )),
            events: HashMap::new(),
            create: Arc::new(facts),
            facts: facts::Facts::default(),
            joined: 0,
            invited: 0,
        };
        state.put(create);
        Ok(state)
    }

    /// Puts a state event in its place; an event that is not a state event changes nothing.
    pub fn apply(&mut self, event: Arc<Pdu>) {
        let Some((event_type, state_key)) = event.state_slot() else {
            return;
        };
        let (event_type, state_key) = (Box::<str>::from(event_type), Box::<str>::from(state_key));
        let before = self.counted(&event_type, &state_key);
        self.put(event);
        self.recount(before, self.counted(&event_type, &state_key));
        self.reread(&event_type, &state_key);
    }

    /// Empties a place in the state, when resolution found it to be so.
    pub fn remove(&mut self, event_type: &str, state_key: &str) {
        let before = self.counted(event_type, state_key);
        if let Some(slots) = self.events.get_mut(event_type) {
            slots.remove(state_key.into());
        }
        self.recount(before, self.counted(event_type, state_key));
        self.reread(event_type, state_key);
    }

    /// Replaces an event by its redacted form, if it is still part of the state; says whether it was.
    pub fn replace_redacted(&mut self, redacted: Arc<Pdu>) -> bool {
        let current = redacted
            .state_slot()
            .and_then(|(event_type, state_key)| self.get(event_type, state_key));
        let is_current = current.is_some_and(|event| event.event_id() == redacted.event_id());
        if is_current {
            self.apply(redacted);
        }
        is_current
    }

    /// What the create event says: creators, room version, kind of room.
    pub fn create(&self) -> &CreateFacts {
        &self.create
    }

    /// The rules of the room's version.
    pub fn rules(&self) -> &RoomVersionRules {
        &self.create.rules
    }

    /// The power levels in force.
    pub fn power_levels(&self) -> &Arc<RoomPowerLevels> {
        &self.power_levels
    }

    /// How many members are joined.
    pub fn joined_count(&self) -> usize {
        self.joined
    }

    /// How many people are invited.
    pub fn invited_count(&self) -> usize {
        self.invited
    }

    /// All state events, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Pdu>> {
        self.events
            .values()
            .flat_map(|slots| slots.iter().map(|(_, event)| event))
    }

    /// All state events but those of one type, in no order.
    pub fn of_other_types(&self, event_type: &str) -> impl Iterator<Item = &Arc<Pdu>> {
        let others = self.events.iter();
        let others = others.filter(move |(other, _)| &***other != event_type);
        others.flat_map(|(_, slots)| slots.iter().map(|(_, event)| event))
    }

    /// All state events of one type with their state keys, in no order.
    pub fn of_type(&self, event_type: &str) -> impl Iterator<Item = (&str, &Arc<Pdu>)> {
        let slots = self.events.get(event_type).into_iter();
        slots.flat_map(|slots| slots.iter().map(|(key, event)| (&**key, event)))
    }

    /// The member events of everyone who ever was concerned, whatever their membership now.
    pub fn members(&self) -> impl Iterator<Item = (&UserId, &Arc<Pdu>)> {
        self.of_type(MEMBER)
            .filter_map(|(key, event)| Some((<&UserId>::try_from(key).ok()?, event)))
    }

    /// The member events of those who have this membership.
    pub fn members_with(
        &self,
        membership: MembershipState,
    ) -> impl Iterator<Item = (&UserId, &Arc<Pdu>)> {
        self.members()
            .filter(move |(_, event)| event.membership() == Some(&membership))
    }

    /// How many state events there are.
    pub fn len(&self) -> usize {
        self.events.values().map(Layered::len).sum()
    }

    /// Never true: a room begins with its create event.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn put(&mut self, event: Arc<Pdu>) {
        let Some((event_type, state_key)) = event.state_slot() else {
            return;
        };
        let state_key = Box::<str>::from(state_key);
        match self.events.get_mut(event_type) {
            Some(slots) => slots.insert(state_key, event),
            None => {
                let event_type = Box::<str>::from(event_type);
                let mut slots = Layered::default();
                slots.insert(state_key, event);
                self.events.insert(event_type, slots);
            }
        }
    }

    fn counted(&self, event_type: &str, state_key: &str) -> Option<MembershipState> {
        if event_type != MEMBER {
            return None;
        }
        self.get(MEMBER, state_key)?.membership().cloned()
    }

    fn recount(&mut self, before: Option<MembershipState>, after: Option<MembershipState>) {
        match before {
            Some(MembershipState::Join) => self.joined -= 1,
            Some(MembershipState::Invite) => self.invited -= 1,
            _ => {}
        }
        match after {
            Some(MembershipState::Join) => self.joined += 1,
            Some(MembershipState::Invite) => self.invited += 1,
            _ => {}
        }
    }

    // Parses again what was parsed from the place that changed.
    fn reread(&mut self, event_type: &str, state_key: &str) {
        if !state_key.is_empty() {
            return;
        }
        let event = self.get(event_type, "").cloned();
        let event = event.as_deref();
        match event_type {
            "m.room.create" => {
                // Redacting it may take away what it said; the room keeps its version all the same.
                if let Some(facts) = event.and_then(|event| self.create.reread(event)) {
                    self.create = Arc::new(facts);
                }
            }
            "m.room.power_levels" => {
                let create = &self.create;
                let levels =
                    power_levels::effective(event, &create.creators, &create.rules.authorization);
                self.power_levels = Arc::new(levels);
            }
            _ => self.facts.reread(event_type, event),
        }
    }
}
