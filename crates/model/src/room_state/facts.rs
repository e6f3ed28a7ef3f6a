//! What single state events say about their room, parsed once.

use std::collections::HashSet;

use ruma::{
    OwnedMxcUri, OwnedRoomAliasId, OwnedRoomId, OwnedUserId, RoomVersionId, UserId,
    events::room::{
        guest_access::GuestAccess, history_visibility::HistoryVisibility,
        power_levels::UserPowerLevel,
    },
    room::{JoinRuleKind, RoomType},
    room_version_rules::RoomVersionRules,
    state_res::events::RoomCreateEvent,
};
use serde::Deserialize;

use super::RoomState;
use crate::{event::Pdu, visibility::visibility_set_by};

/// What the create event says.
#[derive(Debug, Clone)]
pub struct CreateFacts {
    /// The room version.
    pub version: RoomVersionId,
    /// The rules of that version.
    pub rules: RoomVersionRules,
    /// Who made the room; in room versions 12 and later these have infinite power.
    pub creators: HashSet<OwnedUserId>,
    /// The kind of room, such as a space.
    pub room_type: Option<RoomType>,
    /// Whether other servers may take part.
    pub federate: bool,
}

/// Why a room cannot be made from its create event.
#[derive(Debug, thiserror::Error)]
pub enum BadCreateEvent {
    /// It names a room version that this server does not know.
    #[error("the room version {0} is not known")]
    UnknownVersion(RoomVersionId),
    /// A field cannot be read.
    #[error("the create event cannot be read: {0}")]
    Malformed(String),
}

impl CreateFacts {
    /// Reads the create event.
    pub fn read(create: &Pdu) -> Result<Self, BadCreateEvent> {
        let event = RoomCreateEvent::new(create);
        let version = event.room_version().map_err(BadCreateEvent::Malformed)?;
        let Some(rules) = version.rules() else {
            return Err(BadCreateEvent::UnknownVersion(version));
        };
        let creators = event.creators(&rules.authorization);
        Ok(Self {
            creators: creators.map_err(BadCreateEvent::Malformed)?,
            federate: event.federate().map_err(BadCreateEvent::Malformed)?,
            room_type: room_type(create),
            version,
            rules,
        })
    }

    /// Whether the room is a space.
    pub fn is_space(&self) -> bool {
        self.room_type == Some(RoomType::Space)
    }

    // The version and rules stay: room versions before 11 lose `room_version` when redacted.
    pub(super) fn reread(&self, create: &Pdu) -> Option<Self> {
        let event = RoomCreateEvent::new(create);
        Some(Self {
            creators: event.creators(&self.rules.authorization).ok()?,
            federate: event.federate().ok()?,
            room_type: room_type(create),
            version: self.version.clone(),
            rules: self.rules.clone(),
        })
    }
}

fn room_type(create: &Pdu) -> Option<RoomType> {
    #[derive(Deserialize)]
    struct Content {
        #[serde(rename = "type")]
        room_type: Option<RoomType>,
    }
    create.content_as::<Content>().ok()?.room_type
}

/// Who may join, and through which other rooms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinRule {
    /// The rule.
    pub kind: JoinRuleKind,
    /// For restricted rules: membership in one of these rooms is as good as an invitation.
    pub allowed_rooms: Vec<OwnedRoomId>,
}

impl Default for JoinRule {
    fn default() -> Self {
        Self {
            kind: JoinRuleKind::Invite,
            allowed_rooms: Vec::new(),
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Facts {
    join_rule: JoinRule,
    history_visibility: HistoryVisibility,
    guests_may_join: bool,
    encrypted: bool,
    canonical_alias: Option<OwnedRoomAliasId>,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            join_rule: JoinRule::default(),
            history_visibility: HistoryVisibility::Shared,
            guests_may_join: false,
            encrypted: false,
            canonical_alias: None,
        }
    }
}

impl Facts {
    pub(super) fn reread(&mut self, event_type: &str, event: Option<&Pdu>) {
        match event_type {
            "m.room.join_rules" => self.join_rule = event.and_then(join_rule).unwrap_or_default(),
            "m.room.history_visibility" => self.history_visibility = visibility_set_by(event),
            "m.room.guest_access" => self.guests_may_join = event.is_some_and(guests_may_join),
            // Encryption cannot be undone: a redacted event still means an encrypted room.
            "m.room.encryption" => self.encrypted = event.is_some(),
            "m.room.canonical_alias" => self.canonical_alias = event.and_then(canonical_alias),
            _ => {}
        }
    }
}

impl RoomState {
    /// Who may join; by invitation only when the room does not say.
    pub fn join_rule(&self) -> &JoinRule {
        &self.facts.join_rule
    }

    /// Who may see history; `shared` when the room does not say or says something unknown.
    pub fn history_visibility(&self) -> &HistoryVisibility {
        &self.facts.history_visibility
    }

    /// Whether guests may join.
    pub fn guests_may_join(&self) -> bool {
        self.facts.guests_may_join
    }

    /// Whether the room is end-to-end encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.facts.encrypted
    }

    /// The main alias.
    pub fn canonical_alias(&self) -> Option<&OwnedRoomAliasId> {
        self.facts.canonical_alias.as_ref()
    }

    /// The name, if it is not empty.
    pub fn name(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Content {
            name: String,
        }
        let content = self.content::<Content>("m.room.name")?;
        Some(content.name).filter(|name| !name.is_empty())
    }

    /// The topic, if it is not empty.
    pub fn topic(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Content {
            topic: String,
        }
        let content = self.content::<Content>("m.room.topic")?;
        Some(content.topic).filter(|topic| !topic.is_empty())
    }

    /// The picture.
    pub fn avatar_url(&self) -> Option<OwnedMxcUri> {
        #[derive(Deserialize)]
        struct Content {
            url: OwnedMxcUri,
        }
        let content = self.content::<Content>("m.room.avatar")?;
        Some(content.url).filter(|url| !url.as_str().is_empty())
    }

    /// The name `user` bears in this room.
    pub fn display_name(&self, user: &UserId) -> Option<String> {
        #[derive(Deserialize)]
        struct Content {
            displayname: Option<String>,
        }
        let event = super::StateView::get(self, super::MEMBER, user.as_str())?;
        event.content_as::<Content>().ok()?.displayname
    }

    /// The power of `user`, infinite for the creators of room versions 12 and later.
    pub fn power_level_of(&self, user: &UserId) -> UserPowerLevel {
        self.power_levels().for_user(user)
    }

    fn content<T: serde::de::DeserializeOwned>(&self, event_type: &str) -> Option<T> {
        super::StateView::get(self, event_type, "")?
            .content_as()
            .ok()
    }
}

fn join_rule(event: &Pdu) -> Option<JoinRule> {
    #[derive(Deserialize)]
    struct Content {
        join_rule: JoinRuleKind,
        #[serde(default)]
        allow: serde_json::Value,
    }
    let content = event.content_as::<Content>().ok()?;
    let allowed_room = |condition: &serde_json::Value| {
        if condition.get("type")? != "m.room_membership" {
            return None;
        }
        OwnedRoomId::try_from(condition.get("room_id")?.as_str()?).ok()
    };
    let conditions = content.allow.as_array().map_or(&[][..], Vec::as_slice);
    Some(JoinRule {
        kind: content.join_rule,
        allowed_rooms: conditions.iter().filter_map(allowed_room).collect(),
    })
}

fn guests_may_join(event: &Pdu) -> bool {
    #[derive(Deserialize)]
    struct Content {
        guest_access: GuestAccess,
    }
    let content = event.content_as::<Content>();
    content.is_ok_and(|content| content.guest_access == GuestAccess::CanJoin)
}

fn canonical_alias(event: &Pdu) -> Option<OwnedRoomAliasId> {
    #[derive(Deserialize)]
    struct Content {
        alias: Option<OwnedRoomAliasId>,
    }
    event.content_as::<Content>().ok()?.alias
}
