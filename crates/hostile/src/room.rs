//! A room in which people send whatever they like, one event after the other.

use std::sync::Arc;

use model::{
    authorize::{auth_events_for, authorize, authorize_linked},
    event::{EventDraft, EventRef, Links, MAX_PDU_BYTES, Pdu},
    json::{canonical_object, canonical_text},
    redaction::redact,
    room_state::{PartialState, RoomState, StateView},
    time::Timestamp,
    visibility::{self, Change, Sight},
};
use ruma::{
    OwnedRoomId, OwnedUserId, RoomVersionId, UserId, events::room::member::MembershipState,
    room_version_rules::RoomVersionRules, user_id,
};
use serde_json::{Value, json};

use crate::text::{first_line, version_named};

/// The most events of one room: what goes wrong does so in few.
const MOST_EVENTS: usize = 50;

/// A room, and where it has come to.
struct Room {
    room_id: OwnedRoomId,
    rules: RoomVersionRules,
    state: RoomState,
    head: EventRef,
    depth: i64,
}

/// The first byte names a room version; each line after it is an event: the sender's letter, the
/// type, a state key (`-` for none, `_` for an empty one), and the content, with spaces between.
///
/// Nothing panics, and:
/// - What the parsed state says at once of an event is what the rules say.
/// - The room's counts are those of its members, and its state is what was last set.
/// - The room keeps its version and its creators, whatever is said or redacted.
pub fn room(data: &[u8]) {
    let Some((version, mut rest)) = data.split_first() else {
        return;
    };
    let version = version_named(*version);
    let mut room = Room::new(version);
    for _ in 0..MOST_EVENTS {
        let (line, after) = first_line(rest);
        rest = after;
        if let Ok(line) = std::str::from_utf8(line) {
            room.hear(line);
        }
        if rest.is_empty() {
            break;
        }
    }
    room.check(version);
}

impl Room {
    fn new(version: &RoomVersionId) -> Self {
        let rules = version.rules().unwrap();
        let alice = user_id!("@a:example.org");
        let mut content = json!({ "room_version": version.as_str() });
        if !rules.authorization.use_room_create_sender {
            content["creator"] = json!(alice);
        }
        let names_its_room = rules.event_format.require_room_create_room_id;
        let draft = EventDraft {
            event_type: "m.room.create".to_owned(),
            state_key: Some(String::new()),
            content: canonical_object(&content.to_string(), MAX_PDU_BYTES).unwrap(),
            sender: alice.to_owned(),
            origin_server_ts: Timestamp::from_millis(1_700_000_000_000),
            redacts: None,
            room_id: names_its_room.then(|| ruma::owned_room_id!("!room:example.org")),
        };
        let links = Links {
            depth: 1,
            local_id: Some("create".to_owned()),
            ..Links::default()
        };
        let create = draft.link(links, &rules).unwrap();
        authorize(&create, &PartialState::default(), &rules).unwrap();
        let mut room = Self {
            room_id: create.room_id().to_owned(),
            head: create.reference(),
            depth: 1,
            state: RoomState::new(Arc::new(create)).unwrap(),
            rules,
        };
        room.hear(r#"a m.room.member @a:example.org {"membership":"join"}"#);
        assert_eq!(room.state.joined_count(), 1);
        room
    }

    /// Takes in an event, if it is one and the room permits it.
    fn hear(&mut self, line: &str) {
        let mut words = line.splitn(4, ' ');
        let mut next = || words.next().unwrap_or_default();
        let (sender, event_type, state_key, content) = (next(), next(), next(), next());
        let sender = match OwnedUserId::try_from(format!("@{sender}:example.org")) {
            Ok(sender) => sender,
            Err(_) => return,
        };
        let Ok(content) = canonical_object(content, MAX_PDU_BYTES) else {
            return;
        };
        let redacts = (event_type == "m.room.redaction").then(|| self.head.event_id.clone());
        let draft = EventDraft {
            event_type: event_type.to_owned(),
            state_key: match state_key {
                "-" => None,
                "_" => Some(String::new()),
                key => Some(key.to_owned()),
            },
            content,
            sender,
            origin_server_ts: Timestamp::from_millis(1_700_000_000_000 + self.depth),
            redacts,
            room_id: Some(self.room_id.clone()),
        };
        if let Some(event) = self.permitted(draft) {
            self.take(event);
        }
    }

    fn permitted(&self, draft: EventDraft) -> Option<Arc<Pdu>> {
        let (state, rules) = (&self.state, &self.rules);
        let links = Links {
            prev_events: vec![self.head.clone()],
            auth_events: auth_events_for(&draft, state, rules).ok()?,
            depth: self.depth + 1,
            local_id: Some(format!("event{}", self.depth)),
        };
        let event = draft.link(links, rules).ok()?;
        let told = authorize(&event, state, rules);
        assert_eq!(authorize_linked(&event, state, rules), told);
        sees_or_not(&event, event.sender());
        told.ok()?;
        Some(Arc::new(event))
    }

    fn take(&mut self, event: Arc<Pdu>) {
        self.depth += 1;
        self.head = event.reference();
        self.state.apply(Arc::clone(&event));
        let Some((event_type, state_key)) = event.state_slot() else {
            return;
        };
        let stands = self.state.get(event_type, state_key).unwrap();
        assert_eq!(stands.event_id(), event.event_id());
        // Every other one is redacted at once.
        if canonical_text(&canonical_object(event.content().get(), MAX_PDU_BYTES).unwrap()).len()
            % 2
            == 1
            && event_type != "m.room.create"
        {
            let redacted = redact(&event, &self.rules).unwrap();
            assert!(self.state.replace_redacted(Arc::new(redacted)));
        }
    }

    fn check(&self, version: &RoomVersionId) {
        let state = &self.state;
        let create = state.create();
        assert_eq!(create.version, *version);
        assert!(create.creators.contains(user_id!("@a:example.org")));
        let count = |membership| state.members_with(membership).count();
        assert!(state.joined_count() >= count(MembershipState::Join));
        assert!(state.invited_count() >= count(MembershipState::Invite));
        assert_eq!(state.iter().count(), state.len());
        state.join_rule();
        state.history_visibility();
        state.is_encrypted();
        state.canonical_alias();
        let told = json!([state.name(), state.topic(), state.avatar_url()]);
        assert!(told.as_array().is_some_and(|told| told.len() == 3));
        for (user, _) in state.members() {
            state.display_name(user);
            state.power_level_of(user);
            state.may_kick(user_id!("@a:example.org"), user);
            state.may_ban(user, user_id!("@a:example.org"));
        }
    }
}

/// Who is in the room sees what is said there.
fn sees_or_not(event: &Pdu, reader: &UserId) {
    let sight = Sight {
        visibility: visibility::visibility_set_by(Some(event)),
        membership: MembershipState::Join,
        change: Change::of(event, reader),
        joined_later: false,
    };
    assert!(visibility::may_see(&sight));
    let _: Value = serde_json::from_str(event.content().get()).unwrap();
}
