//! Making a room: all of its first events in one intent.

use model::{
    entropy::random_text,
    event::{EventDraft, Links, MAX_PDU_BYTES},
};
use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, OwnedRoomAliasId, OwnedRoomId, OwnedUserId,
    RoomVersionId, events::TimelineEventType, room_version_rules::RoomVersionRules,
};
use serde_json::json;
use store::{Committed, Intent, Log};

use crate::{
    EncryptionPolicy, MemberProfile, NewAlias, NewEvent, Rooms, RoomsChange, RoomsError,
    RoomsRefusal, encryption, membership::member_content, rooms::from_commit, sending::aliases_in,
};

/// A set of rules that a new room begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Joined by invitation.
    PrivateChat,
    /// Joined by invitation; everybody invited is as powerful as the creator.
    TrustedPrivateChat,
    /// Joined by anybody.
    PublicChat,
}

/// A room to be made.
pub struct CreateRoom {
    /// Who makes it.
    pub creator: OwnedUserId,
    /// How its maker is shown.
    pub profile: MemberProfile,
    /// Its version; the default when absent.
    pub version: Option<RoomVersionId>,
    /// The rules it begins with.
    pub preset: Preset,
    /// Whether the public directory shows it.
    pub published: bool,
    /// Its name.
    pub name: Option<String>,
    /// Its topic.
    pub topic: Option<String>,
    /// An alias for it.
    pub alias: Option<OwnedRoomAliasId>,
    /// Who is invited, and how each is shown.
    pub invite: Vec<(OwnedUserId, MemberProfile)>,
    /// Further state.
    pub initial_state: Vec<InitialState>,
    /// More content of the create event.
    pub creation_content: CanonicalJsonObject,
    /// Replaces parts of the power levels.
    pub power_levels: Option<CanonicalJsonObject>,
    /// Whether the invitations are to a direct chat.
    pub is_direct: bool,
    /// Whom the server sends its notices in this room, if it is made for that.
    pub notices_for: Option<OwnedUserId>,
    /// Whether an application service makes it, which knows whether it can encrypt.
    pub by_appservice: bool,
}

/// One more state event of a new room.
pub struct InitialState {
    /// The type.
    pub kind: TimelineEventType,
    /// The state key.
    pub state_key: String,
    /// The content.
    pub content: CanonicalJsonObject,
}

/// How many rooms one user may make in the same millisecond: in version 12 a room is named
/// after its create event, which must differ.
pub(crate) const SAME_MOMENT: i64 = 1_024;

/// What an event takes in a batch beside its content, and how much a new room may begin with.
pub(crate) const EVENT_OVERHEAD_BYTES: usize = 1024;
const FIRST_EVENTS_BYTES: usize = 768 * 1024;

impl Rooms {
    /// Makes a room, with whatever else stands in the intent that `extra` begins.
    pub async fn create(
        &self,
        log: &Log,
        request: &CreateRoom,
        extra: impl Fn(&OwnedRoomId) -> Intent,
    ) -> Result<OwnedRoomId, RoomsError> {
        let (room_id, ..) = self.create_around(log, request, extra, |_, _| {}).await?;
        Ok(room_id)
    }

    /// Makes a room between what stands in the intent that `before` begins and what `after` adds;
    /// gives what `after` gave, beside what became of the intent.
    pub(crate) async fn create_around<T>(
        &self,
        log: &Log,
        request: &CreateRoom,
        before: impl Fn(&OwnedRoomId) -> Intent,
        after: impl Fn(&mut Intent, &OwnedRoomId) -> T,
    ) -> Result<(OwnedRoomId, Committed, T), RoomsError> {
        let version = request.version.as_ref().unwrap_or(self.default_version());
        let rules = version
            .rules()
            .ok_or_else(|| RoomsRefusal::UnsupportedVersion(version.as_str().to_owned()))?;
        check_first_alias(request)?;
        let mut drafts = self.first_drafts(request, version, &rules)?;
        check_size(&drafts, 0)?;
        let now = self.clock().now().as_millis();
        for moment in now..now + SAME_MOMENT {
            for draft in &mut drafts {
                draft.origin_server_ts = model::time::Timestamp::from_millis(moment);
            }
            let room_id = self.name_room(&drafts[0], &rules)?;
            // Known to be taken: there is no need to try.
            if self.names().cached_room(room_id.as_str()).is_some() {
                continue;
            }
            let mut intent = before(&room_id);
            self.add_room(&mut intent, &room_id, version, &rules, &drafts, request);
            let added = after(&mut intent, &room_id);
            match log.commit(intent).await.map_err(from_commit) {
                Ok(committed) => return Ok((room_id, committed, added)),
                Err(RoomsError::Refused(RoomsRefusal::RoomExists)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(RoomsRefusal::RoomExists.into())
    }

    /// A room's id: random, or in version 12 the id of its create event.
    pub(crate) fn name_room(
        &self,
        create: &EventDraft,
        rules: &RoomVersionRules,
    ) -> Result<OwnedRoomId, RoomsError> {
        if rules.event_format.require_room_create_room_id {
            let name = format!(
                "!{}:{}",
                random_text(self.entropy(), 24),
                self.server_name()
            );
            let id = OwnedRoomId::try_from(name);
            return id.map_err(|error| RoomsRefusal::Invalid(error.to_string()).into());
        }
        let links = Links {
            depth: 1,
            ..Links::default()
        };
        let pdu = create
            .clone()
            .link(links, rules)
            .map_err(|error| RoomsRefusal::Invalid(error.to_string()))?;
        Ok(pdu.room_id().to_owned())
    }

    fn add_room(
        &self,
        intent: &mut Intent,
        room_id: &OwnedRoomId,
        version: &RoomVersionId,
        rules: &RoomVersionRules,
        drafts: &[EventDraft],
        request: &CreateRoom,
    ) {
        for (index, draft) in drafts.iter().enumerate() {
            let mut draft = draft.clone();
            let first = index == 0;
            let unnamed = first && !rules.event_format.require_room_create_room_id;
            draft.room_id = (!unnamed).then(|| room_id.clone());
            let event = NewEvent {
                room_id: room_id.clone(),
                version: first.then(|| version.clone()),
                size_bytes: size_of(&draft.content),
                draft,
                transaction: None,
                annotation: None,
                by_membership: false,
                for_good: false,
                delay_id: None,
            };
            let event = RoomsChange::Event(Box::new(event));
            match &request.notices_for {
                None => {
                    self.add(intent, event);
                }
                // Notices reach those too who take no invitations.
                Some(user_id) => {
                    intent.add::<Self>(event);
                    if first {
                        let (room_id, user_id) = (room_id.clone(), user_id.clone());
                        intent.add::<Self>(RoomsChange::HoldNotices { room_id, user_id });
                    }
                }
            }
        }
        if let Some(alias) = &request.alias {
            intent.add::<Self>(RoomsChange::SetAlias(NewAlias {
                alias: alias.clone(),
                room_id: room_id.clone(),
                creator: request.creator.clone(),
            }));
        }
        if request.published {
            let published = true;
            intent.add::<Self>(RoomsChange::Publish {
                room_id: room_id.clone(),
                published,
                by: None,
            });
        }
    }

    /// The first events, in the order that the specification gives.
    fn first_drafts(
        &self,
        request: &CreateRoom,
        version: &RoomVersionId,
        rules: &RoomVersionRules,
    ) -> Result<Vec<EventDraft>, RoomsError> {
        let mut drafts = vec![
            self.state_draft(
                &request.creator,
                "m.room.create",
                "",
                create_content(request, version, rules),
            ),
            self.state_draft(
                &request.creator,
                "m.room.member",
                request.creator.as_str(),
                member_content("join", &request.profile, None, false),
            ),
            self.state_draft(
                &request.creator,
                "m.room.power_levels",
                "",
                power_levels(request, rules),
            ),
        ];
        let mut add = |kind: &str, content: serde_json::Value| {
            let overridden = request
                .initial_state
                .iter()
                .any(|state| state.kind.to_string() == kind && state.state_key.is_empty());
            if !overridden {
                drafts.push(self.state_draft(&request.creator, kind, "", object(content)));
            }
        };
        if let Some(alias) = &request.alias {
            add("m.room.canonical_alias", json!({ "alias": alias }));
        }
        let (join_rule, guests) = match request.preset {
            Preset::PublicChat => ("public", "forbidden"),
            Preset::PrivateChat | Preset::TrustedPrivateChat => ("invite", "can_join"),
        };
        add("m.room.join_rules", json!({ "join_rule": join_rule }));
        add(
            "m.room.history_visibility",
            json!({ "history_visibility": "shared" }),
        );
        add("m.room.guest_access", json!({ "guest_access": guests }));
        if self.adds_encryption(request, join_rule)? {
            add(
                "m.room.encryption",
                json!({ "algorithm": "m.megolm.v1.aes-sha2" }),
            );
        }
        for state in &request.initial_state {
            let (kind, key) = (state.kind.to_string(), state.state_key.as_str());
            let content = state.content.clone();
            drafts.push(self.state_draft(&request.creator, &kind, key, content));
        }
        if let Some(name) = &request.name {
            let content = object(json!({ "name": name }));
            drafts.push(self.state_draft(&request.creator, "m.room.name", "", content));
        }
        if let Some(topic) = &request.topic {
            let content = object(json!({
                "topic": topic,
                "m.topic": { "m.text": [{ "body": topic }] },
            }));
            drafts.push(self.state_draft(&request.creator, "m.room.topic", "", content));
        }
        for (user, profile) in &request.invite {
            let content = member_content("invite", profile, None, request.is_direct);
            drafts.push(self.state_draft(
                &request.creator,
                "m.room.member",
                user.as_str(),
                content,
            ));
        }
        Ok(drafts)
    }

    /// Whether this deployment turns encryption on in the room, unasked.
    fn adds_encryption(&self, request: &CreateRoom, preset_rule: &str) -> Result<bool, RoomsError> {
        let knows_best = request.by_appservice && self.encryption() == EncryptionPolicy::Private;
        if request.notices_for.is_some() || knows_best {
            return Ok(false);
        }
        let asked = request.initial_state.iter().any(|state| {
            state.kind == TimelineEventType::RoomEncryption && state.state_key.is_empty()
        });
        let has_type = request.creation_content.contains_key("type");
        if asked || has_type || self.encryption() == EncryptionPolicy::Off {
            let refused = !asked && self.encryption() == EncryptionPolicy::Required;
            let is_space = request
                .creation_content
                .get("type")
                .and_then(|kind| kind.as_str())
                == Some("m.space");
            if refused && !is_space {
                return Err(encryption::refuse_unencrypted_room().into());
            }
            return Ok(false);
        }
        let join_rule = request
            .initial_state
            .iter()
            .find(|state| {
                state.kind == TimelineEventType::RoomJoinRules && state.state_key.is_empty()
            })
            .and_then(|state| state.content.get("join_rule")?.as_str())
            .unwrap_or(preset_rule);
        match (self.encryption(), join_rule) {
            (EncryptionPolicy::Required, "public") => {
                Err(encryption::refuse_unencrypted_room().into())
            }
            (_, rule) => Ok(rule != "public"),
        }
    }

    pub(crate) fn state_draft(
        &self,
        sender: &OwnedUserId,
        kind: &str,
        state_key: &str,
        content: CanonicalJsonObject,
    ) -> EventDraft {
        EventDraft {
            event_type: kind.to_owned(),
            state_key: Some(state_key.to_owned()),
            content,
            sender: sender.clone(),
            origin_server_ts: self.clock().now(),
            redacts: None,
            room_id: None,
        }
    }
}

/// All that a room begins with is committed at once, with what else the intent takes.
pub(crate) fn check_size(drafts: &[EventDraft], beside: usize) -> Result<(), RoomsRefusal> {
    let mut total = beside;
    for draft in drafts {
        let size = size_of(&draft.content);
        if size > MAX_PDU_BYTES {
            return Err(RoomsRefusal::TooLarge);
        }
        total += EVENT_OVERHEAD_BYTES + size;
    }
    if total > FIRST_EVENTS_BYTES {
        return Err(RoomsRefusal::TooMuch);
    }
    Ok(())
}

/// A new room is pointed at by the alias that is made with it, and by no other.
fn check_first_alias(request: &CreateRoom) -> Result<(), RoomsRefusal> {
    for state in &request.initial_state {
        if state.kind != TimelineEventType::RoomCanonicalAlias {
            continue;
        }
        for named in aliases_in(&state.content) {
            if request.alias.as_ref().is_none_or(|alias| alias != named) {
                return Err(RoomsRefusal::BadAlias(named.to_owned()));
            }
        }
    }
    Ok(())
}

fn create_content(
    request: &CreateRoom,
    version: &RoomVersionId,
    rules: &RoomVersionRules,
) -> CanonicalJsonObject {
    let mut content = request.creation_content.clone();
    content.insert("room_version".to_owned(), version.as_str().into());
    if rules.authorization.use_room_create_sender {
        content.remove("creator");
    } else {
        content.insert("creator".to_owned(), request.creator.as_str().into());
    }
    let trusted = request.preset == Preset::TrustedPrivateChat;
    if trusted && rules.authorization.additional_room_creators && !request.invite.is_empty() {
        let mut creators = match content.remove("additional_creators") {
            Some(CanonicalJsonValue::Array(creators)) => creators,
            _ => Vec::new(),
        };
        for (user, _) in &request.invite {
            let user = CanonicalJsonValue::from(user.as_str());
            if !creators.contains(&user) {
                creators.push(user);
            }
        }
        content.insert(
            "additional_creators".to_owned(),
            CanonicalJsonValue::Array(creators),
        );
    }
    content
}

fn power_levels(request: &CreateRoom, rules: &RoomVersionRules) -> CanonicalJsonObject {
    let mut users = serde_json::Map::new();
    // In version 12 creators stand above all levels and may not be listed.
    if !rules.authorization.explicitly_privilege_room_creators {
        users.insert(request.creator.to_string(), 100.into());
        if request.preset == Preset::TrustedPrivateChat {
            for (user, _) in &request.invite {
                users.insert(user.to_string(), 100.into());
            }
        }
    }
    let tombstone = if rules.authorization.explicitly_privilege_room_creators {
        150
    } else {
        100
    };
    let invite = if request.preset == Preset::PublicChat {
        50
    } else {
        0
    };
    let mut levels = object(json!({
        "users": users,
        "users_default": 0,
        "events": {
            "m.room.name": 50,
            "m.room.avatar": 50,
            "m.room.canonical_alias": 50,
            "m.room.power_levels": 100,
            "m.room.history_visibility": 100,
            "m.room.encryption": 100,
            "m.room.server_acl": 100,
            "m.room.tombstone": tombstone,
        },
        "events_default": 0,
        "state_default": 50,
        "ban": 50,
        "kick": 50,
        "redact": 50,
        "invite": invite,
    }));
    if let Some(replaced) = &request.power_levels {
        levels.extend(replaced.clone());
    }
    levels
}

/// A JSON object written here, as canonical JSON.
pub(crate) fn object(value: serde_json::Value) -> CanonicalJsonObject {
    match CanonicalJsonValue::try_from(value) {
        Ok(CanonicalJsonValue::Object(object)) => object,
        _ => unreachable!("objects written in this crate are canonical"),
    }
}

/// About how long a content is, in bytes.
pub(crate) fn size_of(content: &CanonicalJsonObject) -> usize {
    serde_json::to_string(content).map_or(0, |text| text.len())
}
