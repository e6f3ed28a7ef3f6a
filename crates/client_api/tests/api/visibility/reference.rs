//! The specification's rules of who sees what, told as slowly as they are written.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use serde_json::Value;

use crate::{
    server::{Node, User},
    stage::Room,
};

/// An event as the reference knows it.
pub(crate) struct Told {
    pub(crate) event_id: String,
    pub(crate) slot: Option<(String, String)>,
    pub(crate) kind: String,
    pub(crate) sender: String,
    pub(crate) sent_at: u64,
    pub(crate) is_redacted: bool,
    pub(crate) content: Value,
}

/// A room's whole story.
pub(crate) struct Reference {
    pub(crate) room: Room,
    pub(crate) events: Vec<Told>,
}

impl Reference {
    /// Reads all that happened, as somebody who was in from the beginning.
    pub(crate) async fn read(node: &Node, host: &User, room: &Room) -> Self {
        let path = format!("rooms/{room}/messages?dir=f&limit=100");
        let page = node.get(host, &path).await;
        let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
        let told = |event: &Value| Told {
            event_id: text(&event["event_id"]).unwrap(),
            slot: text(&event["state_key"]).map(|key| (text(&event["type"]).unwrap(), key)),
            kind: text(&event["type"]).unwrap(),
            sender: text(&event["sender"]).unwrap(),
            sent_at: event["origin_server_ts"].as_u64().unwrap(),
            is_redacted: event["unsigned"]["redacted_because"].is_object(),
            content: event["content"].clone(),
        };
        let events: Vec<_> = page["chunk"].as_array().unwrap().iter().map(told).collect();
        assert!(events.len() < 100, "the story is read whole");
        Self {
            room: room.clone(),
            events,
        }
    }

    pub(crate) fn end(&self) -> usize {
        self.events.len()
    }

    /// The same story, told earlier.
    pub(crate) fn index_of(&self, event_id: &str) -> Option<usize> {
        self.events
            .iter()
            .position(|event| event.event_id == event_id)
    }

    /// What a place of the state says after this many events.
    fn text(&self, after: usize, kind: &str, key: &str, field: &str) -> Option<&str> {
        let is_it = |event: &&Told| {
            let slot = event.slot.as_ref();
            slot.is_some_and(|slot| slot.0 == kind && slot.1 == key)
        };
        let last = self.events[..after].iter().rev().find(is_it)?;
        last.content.get(field)?.as_str()
    }

    pub(crate) fn visibility(&self, after: usize) -> &str {
        match self.text(after, "m.room.history_visibility", "", "history_visibility") {
            Some(known @ ("joined" | "invited" | "world_readable")) => known,
            _ => "shared",
        }
    }

    pub(crate) fn membership(&self, after: usize, user: &str) -> &str {
        let said = self.text(after, "m.room.member", user, "membership");
        said.unwrap_or("leave")
    }

    fn is_in_slot(&self, index: usize, kind: &str, key: &str) -> bool {
        let slot = self.events[index].slot.as_ref();
        slot.is_some_and(|slot| slot.0 == kind && slot.1 == key)
    }

    /// The places of a user's own member events.
    pub(crate) fn own(&self, user: &str) -> Vec<usize> {
        let own = |index: &usize| self.is_in_slot(*index, "m.room.member", user);
        (0..self.end()).filter(own).collect()
    }

    pub(crate) fn last_member_event(&self, user: &str) -> Option<String> {
        let last = self.own(user).pop()?;
        Some(self.events[last].event_id.clone())
    }

    /// Whether somebody may read the room's past at all.
    pub(crate) fn is_known(&self, user: &str, forgotten: bool) -> bool {
        !forgotten && !self.own(user).is_empty()
    }

    pub(crate) fn shows(&self, index: usize, user: &str, forgotten: bool) -> bool {
        let later = index + 1..self.end();
        let joins_later = later
            .into_iter()
            .any(|at| self.membership(at + 1, user) == "join");
        let allows = |visibility: &str, membership: &str| match visibility {
            "world_readable" => true,
            _ if forgotten => false,
            _ if membership == "join" => true,
            "invited" => membership == "invite",
            "joined" => false,
            _ => joins_later,
        };
        let (visibility, membership) = (self.visibility(index), self.membership(index, user));
        allows(visibility, membership)
            || self.is_in_slot(index, "m.room.history_visibility", "")
                && allows(self.visibility(index + 1), membership)
            || self.is_in_slot(index, "m.room.member", user)
                && allows(visibility, self.membership(index + 1, user))
    }

    pub(crate) fn shown(&self, user: &str, forgotten: bool) -> Vec<usize> {
        let shows = |index: &usize| self.shows(*index, user, forgotten);
        (0..self.end()).filter(shows).collect()
    }

    /// The newest events of a part that are shown without a hole between them.
    pub(crate) fn run(&self, part: Range<usize>, user: &str, forgotten: bool) -> Vec<usize> {
        let hidden = |index: &usize| !self.shows(*index, user, forgotten);
        let newest_first = part.rev().skip_while(hidden);
        let mut run: Vec<_> = newest_first.take_while(|index| !hidden(index)).collect();
        run.reverse();
        run
    }

    /// How much of the story's state a user may read: all, or as much as there was when they
    /// last left.
    pub(crate) fn readable(&self, user: &str, forgotten: bool) -> Option<usize> {
        let end = self.end();
        if self.visibility(end) == "world_readable" {
            return Some(end);
        }
        let joined = (0..=end)
            .rev()
            .find(|after| self.membership(*after, user) == "join");
        let joined = joined.filter(|_| !forgotten)?;
        Some((joined + 1).min(end))
    }

    /// The state after this many events, by its places.
    pub(crate) fn state(&self, after: usize) -> BTreeMap<(String, String), String> {
        let events = self.events[..after].iter();
        let slots = events.filter_map(|event| Some((event.slot.clone()?, event.event_id.clone())));
        slots.collect()
    }

    pub(crate) fn joined(&self) -> BTreeSet<String> {
        let state = self.state(self.end());
        let members = state
            .into_keys()
            .filter(|(kind, _)| kind == "m.room.member");
        members
            .map(|(_, user)| user)
            .filter(|user| self.membership(self.end(), user) == "join")
            .collect()
    }

    /// Fails with the story.
    pub(crate) fn fail(&self, user: &str, what: &str) -> ! {
        let story = self.events.iter().enumerate();
        let story: Vec<_> = story
            .map(|(index, event)| {
                let Told {
                    event_id,
                    slot,
                    content,
                    ..
                } = event;
                format!("{index:2} {event_id:.8} {slot:?} {content}")
            })
            .collect();
        panic!("{what} for {user}:\n{}", story.join("\n"));
    }
}
