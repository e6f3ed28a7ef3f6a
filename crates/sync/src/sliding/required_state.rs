//! Which state of a room a client wants, and which of it there is.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use model::{
    event::Pdu,
    room_state::{RoomState, StateView},
};
use ruma::{UserId, events::StateEventType};

const MEMBER: &str = "m.room.member";

/// State by type and key, with wildcards.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct RequiredState {
    /// By type; `*` is any type that has no entry of its own, when all its keys are asked for, and
    /// any type otherwise.
    types: BTreeMap<String, Keys>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Keys {
    all: bool,
    /// Those who speak in the timeline; of members alone.
    lazy: bool,
    these: BTreeSet<String>,
}

impl RequiredState {
    pub(super) fn compile(asked: &[(StateEventType, String)], reader: &UserId) -> Self {
        let mut types: BTreeMap<String, Keys> = BTreeMap::new();
        for (kind, key) in asked {
            let kind = kind.to_string();
            let is_member = kind == MEMBER;
            let keys = types.entry(kind).or_default();
            match key.as_str() {
                "*" => keys.all = true,
                "$LAZY" if is_member => keys.lazy = true,
                "$ME" => drop(keys.these.insert(reader.to_string())),
                key => drop(keys.these.insert(key.to_owned())),
            }
        }
        Self { types }
    }

    pub(super) fn join(&mut self, other: &Self) {
        for (kind, keys) in &other.types {
            let own = self.types.entry(kind.clone()).or_default();
            own.all |= keys.all;
            own.lazy |= keys.lazy;
            own.these.extend(keys.these.iter().cloned());
        }
    }

    /// Whether members come as they speak.
    fn is_lazy(&self) -> bool {
        let members = self.types.get(MEMBER);
        members.is_some_and(|keys| keys.lazy && !keys.all)
    }

    /// Whether an event is wanted, whoever speaks.
    fn wants(&self, event: &Pdu) -> bool {
        let Some((kind, key)) = event.state_slot() else {
            return false;
        };
        let of = |keys: &Keys| keys.all || keys.these.contains(key);
        let any = self.types.get("*");
        match self.types.get(kind) {
            Some(keys) if any.is_some_and(|any| any.all) => of(keys),
            Some(keys) => of(keys) || any.is_some_and(of),
            None => any.is_some_and(of),
        }
    }

    /// All that is wanted of a state, in the order in which it came about.
    pub(super) fn of(&self, state: &RoomState, speakers: &BTreeSet<&UserId>) -> Vec<Arc<Pdu>> {
        let mut found: Vec<Arc<Pdu>> = match self.types.contains_key("*") {
            true => state
                .iter()
                .filter(|event| self.wants(event))
                .cloned()
                .collect(),
            false => self.named_in(state),
        };
        self.add_speakers(state, speakers, &mut found);
        found
    }

    /// What is wanted of a change of a state, in the same order.
    pub(super) fn of_change(
        &self,
        changed: &[Arc<Pdu>],
        state: &RoomState,
        speakers: &BTreeSet<&UserId>,
    ) -> Vec<Arc<Pdu>> {
        let wanted = changed.iter().filter(|event| self.wants(event));
        let mut found: Vec<Arc<Pdu>> = wanted.cloned().collect();
        self.add_speakers(state, speakers, &mut found);
        found
    }

    /// Adds those who speak, where members come as they do, and puts all in order.
    fn add_speakers(
        &self,
        state: &RoomState,
        speakers: &BTreeSet<&UserId>,
        found: &mut Vec<Arc<Pdu>>,
    ) {
        if self.is_lazy() {
            let member = |user: &&UserId| state.get(MEMBER, user.as_str()).cloned();
            found.extend(speakers.iter().filter_map(member));
        }
        found.sort_unstable_by(|one, other| {
            let place = |event: &Pdu| (event.depth(), event.origin_server_ts());
            let ids = || one.event_id().cmp(other.event_id());
            place(one).cmp(&place(other)).then_with(ids)
        });
        found.dedup_by(|one, other| one.event_id() == other.event_id());
    }

    fn named_in(&self, state: &RoomState) -> Vec<Arc<Pdu>> {
        let mut found = Vec::new();
        for (kind, keys) in &self.types {
            if keys.all {
                found.extend(state.of_type(kind).map(|(_, event)| Arc::clone(event)));
                continue;
            }
            let these = keys.these.iter();
            found.extend(these.filter_map(|key| state.get(kind, key).cloned()));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use ruma::user_id;

    use super::*;

    fn asked(slots: &[(&str, &str)]) -> RequiredState {
        let slot = |(kind, key): &(&str, &str)| (StateEventType::from(*kind), (*key).to_owned());
        let slots: Vec<_> = slots.iter().map(slot).collect();
        RequiredState::compile(&slots, user_id!("@me:x"))
    }

    fn keys<'a>(required: &'a RequiredState, kind: &str) -> Vec<&'a str> {
        let keys = required.types.get(kind).into_iter();
        keys.flat_map(|keys| keys.these.iter().map(String::as_str))
            .collect()
    }

    #[test]
    fn placeholders_are_read_where_they_mean_something() {
        let required = asked(&[(MEMBER, "$ME"), (MEMBER, "$LAZY"), ("org.example", "$LAZY")]);
        assert_eq!(keys(&required, MEMBER), ["@me:x"]);
        assert_eq!(keys(&required, "org.example"), ["$LAZY"]);
        assert!(required.is_lazy());
        assert!(!asked(&[(MEMBER, "*"), (MEMBER, "$LAZY")]).is_lazy());
    }

    #[test]
    fn what_two_ask_for_is_asked_for_once() {
        let mut both = asked(&[(MEMBER, "$ME"), ("m.room.name", "")]);
        both.join(&asked(&[("m.room.name", ""), (MEMBER, "$LAZY")]));
        let together = [(MEMBER, "$ME"), (MEMBER, "$LAZY"), ("m.room.name", "")];
        assert_eq!(both, asked(&together));
    }
}
