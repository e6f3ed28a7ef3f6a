//! A room for tests: sends events through linking and authorisation, as the committer does.

use std::sync::Arc;

use ruma::{
    CanonicalJsonObject, OwnedEventId, OwnedRoomId, OwnedUserId, RoomVersionId, UserId,
    room_version_rules::RoomVersionRules, user_id,
};
use serde_json::{Value, json};

use crate::{
    authorize::{AuthRefusal, auth_events_for, authorize, authorize_linked},
    event::{BuildError, EventDraft, EventRef, Links, Pdu},
    room_state::{PartialState, RoomState, StateView},
    time::Timestamp,
};

pub(crate) const VERSIONS: [RoomVersionId; 12] = [
    RoomVersionId::V1,
    RoomVersionId::V2,
    RoomVersionId::V3,
    RoomVersionId::V4,
    RoomVersionId::V5,
    RoomVersionId::V6,
    RoomVersionId::V7,
    RoomVersionId::V8,
    RoomVersionId::V9,
    RoomVersionId::V10,
    RoomVersionId::V11,
    RoomVersionId::V12,
];

pub(crate) fn alice() -> &'static UserId {
    user_id!("@alice:example.org")
}

pub(crate) fn bob() -> &'static UserId {
    user_id!("@bob:example.org")
}

pub(crate) fn carol() -> &'static UserId {
    user_id!("@carol:example.org")
}

pub(crate) fn object(value: Value) -> CanonicalJsonObject {
    serde_json::from_value(value).unwrap()
}

pub(crate) struct TestRoom {
    pub(crate) rules: RoomVersionRules,
    pub(crate) state: RoomState,
    room_id: OwnedRoomId,
    head: EventRef,
    depth: i64,
}

#[derive(Debug)]
pub(crate) enum Refused {
    Built(BuildError),
    Auth(AuthRefusal),
}

impl Refused {
    pub(crate) fn auth(self) -> AuthRefusal {
        match self {
            Self::Auth(refusal) => refusal,
            Self::Built(error) => panic!("the event could not be built: {error}"),
        }
    }
}

impl TestRoom {
    /// A room that Alice made and joined, and nothing else.
    pub(crate) fn new(version: &RoomVersionId) -> Self {
        Self::with_create(version, json!({}))
    }

    pub(crate) fn with_create(version: &RoomVersionId, mut content: Value) -> Self {
        let rules = version.rules().unwrap();
        content["room_version"] = json!(version.as_str());
        if !rules.authorization.use_room_create_sender {
            content["creator"] = json!(alice());
        }
        let draft = EventDraft {
            event_type: "m.room.create".to_owned(),
            state_key: Some(String::new()),
            content: object(content),
            sender: alice().to_owned(),
            origin_server_ts: Timestamp::from_millis(1_700_000_000_000),
            redacts: None,
            room_id: rules
                .event_format
                .require_room_create_room_id
                .then(|| OwnedRoomId::try_from("!room:example.org").unwrap()),
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
        room.member(alice(), alice(), "join").unwrap();
        room
    }

    /// Adds the power levels that rooms usually begin with.
    pub(crate) fn with_power_levels(mut self, users: Value) -> Self {
        self.state(
            alice(),
            "m.room.power_levels",
            "",
            json!({ "users": users }),
        )
        .unwrap();
        self
    }

    pub(crate) fn send(
        &mut self,
        sender: &UserId,
        event_type: &str,
        state_key: Option<&str>,
        content: Value,
    ) -> Result<Arc<Pdu>, Refused> {
        self.send_draft(EventDraft {
            event_type: event_type.to_owned(),
            state_key: state_key.map(str::to_owned),
            content: object(content),
            sender: sender.to_owned(),
            origin_server_ts: Timestamp::from_millis(1_700_000_000_000 + self.depth),
            redacts: None,
            room_id: Some(self.room_id.clone()),
        })
    }

    pub(crate) fn send_draft(&mut self, draft: EventDraft) -> Result<Arc<Pdu>, Refused> {
        let links = Links {
            prev_events: vec![self.head.clone()],
            auth_events: auth_events_for(&draft, &self.state, &self.rules)
                .map_err(Refused::Auth)?,
            depth: self.depth + 1,
            local_id: Some(format!("event{}", self.depth)),
        };
        let event = draft.link(links, &self.rules).map_err(Refused::Built)?;
        let told = authorize(&event, &self.state, &self.rules);
        assert_eq!(authorize_linked(&event, &self.state, &self.rules), told);
        told.map_err(Refused::Auth)?;
        let event = Arc::new(event);
        self.depth += 1;
        self.head = event.reference();
        self.state.apply(Arc::clone(&event));
        Ok(event)
    }

    pub(crate) fn state(
        &mut self,
        sender: &UserId,
        event_type: &str,
        state_key: &str,
        content: Value,
    ) -> Result<Arc<Pdu>, Refused> {
        self.send(sender, event_type, Some(state_key), content)
    }

    pub(crate) fn member(
        &mut self,
        sender: &UserId,
        target: &UserId,
        membership: &str,
    ) -> Result<Arc<Pdu>, Refused> {
        let content = json!({ "membership": membership });
        self.state(sender, "m.room.member", target.as_str(), content)
    }

    pub(crate) fn say(&mut self, sender: &UserId, body: &str) -> Result<Arc<Pdu>, Refused> {
        let content = json!({ "msgtype": "m.text", "body": body });
        self.send(sender, "m.room.message", None, content)
    }

    pub(crate) fn redact(
        &mut self,
        sender: &UserId,
        target: OwnedEventId,
    ) -> Result<Arc<Pdu>, Refused> {
        self.send_draft(EventDraft {
            event_type: "m.room.redaction".to_owned(),
            state_key: None,
            content: object(json!({ "reason": "spam" })),
            sender: sender.to_owned(),
            origin_server_ts: Timestamp::from_millis(1_700_000_000_000 + self.depth),
            redacts: Some(target),
            room_id: Some(self.room_id.clone()),
        })
    }

    /// Says outright that the room is by invitation, as every room that is made by a preset does.
    pub(crate) fn by_invitation(mut self) -> Self {
        let content = json!({ "join_rule": "invite" });
        self.state(alice(), "m.room.join_rules", "", content)
            .unwrap();
        self
    }

    /// Makes the room public and lets everyone named join.
    pub(crate) fn with_members(mut self, members: &[OwnedUserId]) -> Self {
        self.state(
            alice(),
            "m.room.join_rules",
            "",
            json!({ "join_rule": "public" }),
        )
        .unwrap();
        for member in members {
            self.member(member, member, "join").unwrap();
        }
        self
    }

    pub(crate) fn get(&self, event_type: &str, state_key: &str) -> &Arc<Pdu> {
        self.state.get(event_type, state_key).unwrap()
    }
}
