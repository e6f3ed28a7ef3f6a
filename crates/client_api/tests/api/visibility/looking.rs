//! What a client learns of a room by syncing.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::reference::Reference;
use crate::{
    server::{Node, User},
    stage::{Client, Room, events, ids, joined, left, types},
};

type State = BTreeMap<(String, String), String>;

/// A client that follows one room, and what it believes.
pub(super) struct Watcher<'a> {
    client: Client<'a>,
    user: &'a User,
    /// How much of the story there was when it last looked.
    seen: usize,
    state: State,
}

fn client<'a>(node: &'a Node, user: &'a User, room: &Room) -> Client<'a> {
    let filter = json!({ "room": {
        "rooms": [room],
        "include_leave": true,
        "timeline": { "limit": 100 },
    }});
    node.client(user).filtered(&filter)
}

impl<'a> Watcher<'a> {
    pub(super) fn new(node: &'a Node, user: &'a User, room: &Room) -> Self {
        Self {
            client: client(node, user, room),
            user,
            seen: 0,
            state: State::new(),
        }
    }

    /// Syncs, and compares with what it must learn.
    pub(super) async fn look(&mut self, reference: &Reference, forgotten: bool) {
        let is_first = self.client.since.is_none();
        let answer = self.client.next().await;
        let user = &*self.user.user_id;
        let was_in = !is_first && reference.membership(self.seen, user) == "join";
        let look = Look {
            reference,
            user,
            forgotten,
            // Who was not in is told from the beginning.
            since: if was_in { self.seen } else { 0 },
            is_first,
            looked: self.seen,
        };
        if !was_in {
            self.state.clear();
        }
        look.check(&answer, &mut self.state);
        self.seen = reference.end();
    }
}

/// A client that begins sees the same as one that followed.
pub(super) async fn first_look(node: &Node, user: &User, reference: &Reference, forgotten: bool) {
    let mut watcher = Watcher::new(node, user, &reference.room);
    watcher.look(reference, forgotten).await;
}

struct Look<'a> {
    reference: &'a Reference,
    user: &'a str,
    forgotten: bool,
    /// From where on the story is told.
    since: usize,
    is_first: bool,
    /// How much of it there was when the client last looked.
    looked: usize,
}

impl Look<'_> {
    fn check(&self, answer: &Value, believed: &mut State) {
        let Self {
            reference, user, ..
        } = *self;
        let room = &reference.room;
        let end = reference.end();
        let own = reference.own(user);
        let is_news = own
            .last()
            .is_some_and(|last| self.is_first || *last >= self.looked);
        let membership = match own.is_empty() {
            true => "none",
            false => reference.membership(end, user),
        };
        let sections = [("join", "join"), ("invite", "invite"), ("knock", "knock")];
        for (section, wanted) in sections {
            let told = answer["rooms"][section].get(&**room).is_some();
            if told && membership != wanted {
                self.fail(&format!("{section} is told to one who is {membership}"));
            }
        }
        match membership {
            "join" => self.check_joined(joined(answer, room), believed),
            "invite" | "knock" if is_news => {
                let told = &answer["rooms"][membership][&**room];
                let told = types(&told[format!("{membership}_state")]);
                let stripped = [
                    "m.room.create",
                    "m.room.join_rules",
                    "m.room.member",
                    "m.room.topic",
                ];
                if told.is_empty() || told.iter().any(|kind| !stripped.contains(kind)) {
                    self.fail(&format!("{membership} shows {told:?}"));
                }
            }
            "leave" | "ban" if is_news && !self.forgotten => {
                self.check_left(left(answer, room), &own, believed);
            }
            _ => {
                if answer["rooms"].get("leave").is_some() {
                    self.fail("leave is told again");
                }
            }
        }
    }

    fn check_joined(&self, told: &Value, believed: &mut State) {
        let Self {
            reference,
            user,
            forgotten,
            ..
        } = *self;
        let end = reference.end();
        let shown = reference.run(self.since..end, user, forgotten);
        self.check_timeline(&told["timeline"], shown);
        learn(told, believed);
        if *believed != reference.state(end) {
            self.fail(&format!("the state is believed to be {believed:?}"));
        }
    }

    fn check_left(&self, told: &Value, own: &[usize], believed: &mut State) {
        let Self {
            reference,
            user,
            forgotten,
            ..
        } = *self;
        let last = *own.last().unwrap();
        let joins = own
            .iter()
            .filter(|at| reference.membership(**at + 1, user) == "join");
        // One who was not in since is told of the end of an invitation, and of nothing else.
        let from = if self.since > 0 || self.is_first {
            0
        } else {
            self.looked
        };
        let was_in = self.since > 0 || joins.clone().any(|at| *at >= from);
        if !was_in {
            self.check_timeline(&told["timeline"], vec![last]);
            if !events(&told["state"]).is_empty() {
                self.fail("state is told to one who was not in");
            }
            return;
        }
        let parted = match joins.max() {
            Some(join) => own.iter().copied().find(|at| at > join).unwrap(),
            _ => last,
        };
        let mut shown = reference.run(self.since..parted + 1, user, forgotten);
        if last > parted {
            shown.push(last);
        }
        self.check_timeline(&told["timeline"], shown);
        learn(told, believed);
        let mut wanted = reference.state(parted + 1);
        let member = ("m.room.member".to_owned(), user.to_owned());
        wanted.insert(member, reference.events[last].event_id.clone());
        if *believed != wanted {
            self.fail(&format!(
                "the state is believed to be {believed:?}, not {wanted:?}"
            ));
        }
    }

    fn check_timeline(&self, timeline: &Value, wanted: Vec<usize>) {
        let wanted: Vec<_> = wanted
            .into_iter()
            .map(|index| &*self.reference.events[index].event_id)
            .collect();
        let told = ids(timeline);
        if told != wanted {
            self.fail(&format!("the timeline is {told:?} instead of {wanted:?}"));
        }
    }

    fn fail(&self, what: &str) -> ! {
        let Self {
            since,
            is_first,
            looked,
            ..
        } = self;
        let what = format!("{what}\n(since {since}, first {is_first}, looked at {looked})");
        self.reference.fail(self.user, &what)
    }
}

/// What a client makes of the state and the timeline of a room.
fn learn(told: &Value, state: &mut State) {
    for event in events(&told["state"])
        .iter()
        .chain(events(&told["timeline"]))
    {
        let Some(key) = event["state_key"].as_str() else {
            continue;
        };
        let slot = (event["type"].as_str().unwrap().to_owned(), key.to_owned());
        let event_id = event["event_id"].as_str().unwrap().to_owned();
        state.insert(slot, event_id);
    }
}
