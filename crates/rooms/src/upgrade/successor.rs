//! The first events of the room that replaces another.

use model::{event::EventDraft, room_state::StateView};
use ruma::{CanonicalJsonObject, CanonicalJsonValue, room::JoinRuleKind};
use serde_json::json;

use super::{
    Attempt, CANONICAL_ALIAS,
    carried::{AS_IT_IS, bans, children, content_of},
    join_rules, power_levels,
};
use crate::{
    EncryptionPolicy, Room, Rooms, RoomsError, create::object, membership::member_content,
    sending::aliases_in,
};

const ENCRYPTION: &str = "m.room.encryption";
const JOIN_RULES: &str = "m.room.join_rules";

impl Rooms {
    /// The create event and the upgrader's own member event, then what is taken over; the power
    /// levels last, because its creator alone may do everything until then.
    pub(super) fn successor_drafts(
        &self,
        attempt: &Attempt<'_>,
    ) -> Result<Vec<EventDraft>, RoomsError> {
        let (request, old) = (attempt.request, attempt.old);
        let mut events = vec![
            ("m.room.create", String::new(), create_content(attempt)),
            (
                "m.room.member",
                request.user_id.to_string(),
                member_content("join", &request.profile, None, false),
            ),
        ];
        let mut add = |kind, content| events.push((kind, String::new(), content));
        for kind in AS_IT_IS {
            if let Some(content) = old.state.get(kind, "").and_then(|event| content_of(event)) {
                add(*kind, content);
            }
        }
        if let Some(content) = join_rule(attempt) {
            add(JOIN_RULES, content);
        }
        if let Some(content) = encryption(old, self.encryption()) {
            add(ENCRYPTION, content);
        }
        if let Some(content) = canonical_alias(attempt) {
            add(CANONICAL_ALIAS, content);
        }
        for child in children(&old.state) {
            if let (Some(content), Some(key)) = (content_of(&child), child.state_key()) {
                events.push(("m.space.child", key.to_owned(), content));
            }
        }
        for ban in bans(&old.state) {
            let banned = ban.state_key().unwrap_or_default();
            // Nobody bans a creator.
            if attempt.creators.iter().all(|creator| creator != banned) {
                events.push(("m.room.member", banned.to_owned(), ban_content(&ban)));
            }
        }
        let levels = power_levels::carried(old, attempt.rules, &attempt.creators);
        events.extend(levels.map(|levels| ("m.room.power_levels", String::new(), levels)));
        let draft = |(kind, key, content): (&str, String, _)| {
            self.state_draft(&request.user_id, kind, &key, content)
        };
        Ok(events.into_iter().map(draft).collect())
    }
}

fn create_content(attempt: &Attempt<'_>) -> CanonicalJsonObject {
    let (request, old) = (attempt.request, attempt.old);
    let mut content = object(json!({
        "room_version": request.version,
        "predecessor": { "room_id": old.room_id },
    }));
    let before = old.state.get("m.room.create", "");
    let before = before
        .and_then(|create| content_of(create))
        .unwrap_or_default();
    for kept in ["type", "m.federate"] {
        if let Some(value) = before.get(kept) {
            content.insert(kept.to_owned(), value.clone());
        }
    }
    let rules = &attempt.rules.authorization;
    if !rules.use_room_create_sender {
        content.insert("creator".to_owned(), request.user_id.as_str().into());
    }
    let others = attempt.creators.iter();
    let others = others.filter(|creator| **creator != request.user_id);
    let others: Vec<CanonicalJsonValue> = others.map(|creator| creator.as_str().into()).collect();
    if rules.additional_room_creators && !others.is_empty() {
        content.insert("additional_creators".to_owned(), others.into());
    }
    content
}

fn join_rule(attempt: &Attempt<'_>) -> Option<CanonicalJsonObject> {
    let state = &attempt.old.state;
    let content = content_of(state.get(JOIN_RULES, "")?)?;
    let rules = &attempt.rules.authorization;
    Some(join_rules::adapted(content, &state.join_rule().kind, rules))
}

/// Encryption is never lost, and comes where this deployment turns it on in new rooms.
fn encryption(old: &Room, policy: EncryptionPolicy) -> Option<CanonicalJsonObject> {
    let state = &old.state;
    let create = state.create();
    let wanted = match policy {
        EncryptionPolicy::Off => false,
        EncryptionPolicy::Private => {
            create.room_type.is_none() && state.join_rule().kind != JoinRuleKind::Public
        }
        EncryptionPolicy::Required => !create.is_space(),
    };
    let before = state
        .get(ENCRYPTION, "")
        .and_then(|event| content_of(event));
    match before.filter(|content| content.contains_key("algorithm")) {
        Some(content) => Some(content),
        None if wanted || state.is_encrypted() => {
            Some(object(json!({ "algorithm": "m.megolm.v1.aes-sha2" })))
        }
        None => None,
    }
}

/// The names of the old room that lead to the new one from now on.
fn canonical_alias(attempt: &Attempt<'_>) -> Option<CanonicalJsonObject> {
    let mut content = content_of(attempt.old.state.get(CANONICAL_ALIAS, "")?)?;
    let moves = |alias: &CanonicalJsonValue| {
        let alias = alias.as_str().unwrap_or_default();
        attempt.aliases.iter().any(|moved| moved == alias)
    };
    content.retain(|name, value| name != "alias" || moves(value));
    if let Some(CanonicalJsonValue::Array(others)) = content.get_mut("alt_aliases") {
        others.retain(moves);
    }
    let named = aliases_in(&content).next().is_some();
    named.then_some(content)
}

fn ban_content(ban: &model::event::Pdu) -> CanonicalJsonObject {
    let before = content_of(ban).unwrap_or_default();
    let mut content = object(json!({ "membership": "ban" }));
    if let Some(reason) = before.get("reason") {
        content.insert("reason".to_owned(), reason.clone());
    }
    content
}
