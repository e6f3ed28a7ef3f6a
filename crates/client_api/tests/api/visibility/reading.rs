//! What one reads of a room by asking for it: pages, single events, state, members.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::reference::Reference;
use crate::server::{Node, User};

/// One user reads a room.
pub(super) struct Reading<'a> {
    pub(super) node: &'a Node,
    pub(super) user: &'a User,
    pub(super) reference: &'a Reference,
    pub(super) forgotten: bool,
}

fn id(event: &Value) -> String {
    event["event_id"].as_str().unwrap().to_owned()
}

fn slots(state: &Value) -> BTreeMap<(String, String), String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let state = state.as_array().unwrap().iter();
    state
        .map(|event| {
            let slot = (text(&event["type"]), text(&event["state_key"]));
            (slot, id(event))
        })
        .collect()
}

impl Reading<'_> {
    /// Reads by every path, and compares.
    pub(super) async fn check(&self) {
        let Self {
            reference,
            user,
            forgotten,
            ..
        } = self;
        let shown = reference.shown(&user.user_id, *forgotten);
        let shown: Vec<_> = shown
            .into_iter()
            .map(|index| reference.events[index].event_id.clone())
            .collect();
        let open = reference.is_known(&user.user_id, *forgotten)
            || reference.visibility(reference.end()) == "world_readable";
        let pages = open.then(|| shown.clone());
        self.same("pages forward", &self.pages("f").await, &pages);
        let mut backward = self.pages("b").await;
        if let Some(backward) = &mut backward {
            backward.reverse();
        }
        self.same("pages backward", &backward, &pages);
        for event in &reference.events {
            let is_shown = shown.contains(&event.event_id);
            let one = self.asked(&format!("event/{}", event.event_id)).await;
            self.same(
                "one event",
                &one.as_ref().map(id),
                &is_shown.then(|| event.event_id.clone()),
            );
            let context = self
                .asked(&format!("context/{}?limit=4", event.event_id))
                .await;
            self.same("a context", &context.is_some(), &is_shown);
            if let Some(context) = context {
                self.check_context(&context, &shown);
            }
        }
        self.check_state().await;
        let members = self.asked("joined_members").await;
        let members = members.map(|members| {
            let joined = members["joined"].as_object().unwrap().keys();
            joined.cloned().collect::<BTreeSet<_>>()
        });
        let is_in = reference.membership(reference.end(), &user.user_id) == "join";
        self.same(
            "joined members",
            &members,
            &is_in.then(|| reference.joined()),
        );
    }

    fn check_context(&self, context: &Value, shown: &[String]) {
        let list = |name: &str| -> Vec<String> {
            let events = context[name].as_array();
            events.into_iter().flatten().map(id).collect()
        };
        let mut around = list("events_before");
        around.reverse();
        around.push(id(&context["event"]));
        around.extend(list("events_after"));
        let at = shown.iter().position(|shown| *shown == around[0]).unwrap();
        let wanted = &shown[at..(at + around.len()).min(shown.len())];
        self.same("the events around one", &*around, wanted);
        let last = self.reference.index_of(around.last().unwrap()).unwrap();
        let state = slots(&context["state"]);
        self.same(
            "the state around one",
            &state,
            &self.reference.state(last + 1),
        );
    }

    async fn check_state(&self) {
        let Self {
            reference,
            user,
            forgotten,
            ..
        } = self;
        let readable = reference.readable(&user.user_id, *forgotten);
        let readable = readable.map(|after| reference.state(after));
        let state = self.asked("state").await;
        self.same("the state", &state.as_ref().map(slots), &readable);
        let members = self.asked("members").await;
        let members = members.map(|members| slots(&members["chunk"]));
        let wanted = readable.clone().map(|mut state| {
            state.retain(|(kind, _), _| kind == "m.room.member");
            state
        });
        self.same("the members", &members, &wanted);
        for ((kind, key), event_id) in reference.state(reference.end()) {
            let path = format!("state/{kind}/{key}");
            let content = self.asked(&path).await;
            let slot = (kind, key);
            let wanted = readable.as_ref().and_then(|state| state.get(&slot));
            let wanted = wanted.map(|wanted| reference.index_of(wanted).unwrap());
            let wanted = wanted.map(|index| reference.events[index].content.clone());
            self.same(&format!("one place, now {event_id:.8}"), &content, &wanted);
        }
    }

    async fn pages(&self, direction: &str) -> Option<Vec<String>> {
        let mut from = String::new();
        let mut read = Vec::new();
        loop {
            let path = format!("messages?dir={direction}&limit=3{from}");
            let page = self.asked(&path).await?;
            read.extend(page["chunk"].as_array().unwrap().iter().map(id));
            match page["end"].as_str() {
                Some(end) => from = format!("&from={end}"),
                None => return Some(read),
            }
        }
    }

    /// What is answered; nothing when it is refused as something one may not see.
    async fn asked(&self, rest: &str) -> Option<Value> {
        let path = format!("/_matrix/client/v3/rooms/{}/{rest}", self.reference.room);
        let (status, answer) = self.node.ask(&self.user.token, "GET", &path, "").await;
        match status.as_u16() {
            200 => Some(answer),
            403 | 404 => None,
            _ => panic!("GET {path}: {status} {answer}"),
        }
    }

    fn same<T: PartialEq + std::fmt::Debug + ?Sized>(&self, what: &str, told: &T, wanted: &T) {
        if told != wanted {
            let what = format!("{what} gives {told:?} instead of {wanted:?}");
            self.reference.fail(&self.user.user_id, &what);
        }
    }
}
