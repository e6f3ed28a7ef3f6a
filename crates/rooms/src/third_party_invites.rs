//! People who are invited without being known ([spec]): the event that stands for them, and the one
//! that makes the invitation theirs.
//!
//! The rules of rooms permit the second to whoever has set the first, whatever has become of them
//! and of whom it is for. Here they need what every invitation needs besides.
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#third-party-invites

use model::room_state::StateView;
use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, RoomId, UserId, events::room::member::MembershipState,
};
use serde::Deserialize;
use serde_json::json;
use store::Intent;

use crate::{
    InitialState, MemberProfile, NewEvent, Room, Rooms, RoomsChange, RoomsRefusal, create::object,
    membership::member_content, upgrade::new_event,
};

const KIND: &str = "m.room.third_party_invite";

/// What stands for somebody who is invited without being known.
#[derive(Clone, Debug)]
pub struct ThirdPartyInvite {
    /// The state key.
    pub token: String,
    /// How they are called until they come.
    pub display_name: String,
    /// Whoever signs with the other half of this key says who they are.
    pub public_key: String,
    /// Where it is told whether the key is good still.
    pub key_validity_url: String,
}

impl ThirdPartyInvite {
    /// The same as state that a new room begins with.
    pub fn into_initial_state(self) -> InitialState {
        InitialState {
            kind: KIND.into(),
            content: self.content(),
            state_key: self.token,
        }
    }

    fn content(&self) -> CanonicalJsonObject {
        let Self {
            display_name,
            public_key,
            key_validity_url,
            ..
        } = self;
        object(json!({
            "display_name": display_name,
            "key_validity_url": key_validity_url,
            "public_key": public_key,
            "public_keys": [{ "public_key": public_key, "key_validity_url": key_validity_url }],
        }))
    }
}

impl Room {
    /// Whether what stands for somebody who is not known can make anybody an invited member: it is
    /// there, was not taken back, and whoever set it may invite still.
    pub fn has_third_party_invite(&self, token: &str) -> bool {
        let event = self.state.get(KIND, token);
        event.is_some_and(|event| {
            let content = event.content_as::<CanonicalJsonObject>().ok();
            let names_key = content.is_some_and(|content| content.contains_key("public_key"));
            names_key && self.state.may_invite(event.sender())
        })
    }
}

impl Rooms {
    /// Adds to an intent that somebody who is not known is invited.
    pub fn add_third_party_invite(
        &self,
        intent: &mut Intent,
        (room_id, sender): (&RoomId, &UserId),
        invite: &ThirdPartyInvite,
    ) {
        let sender = sender.to_owned();
        let draft = self.state_draft(&sender, KIND, &invite.token, invite.content());
        let event = new_event(&room_id.to_owned(), draft);
        self.add(intent, RoomsChange::Event(Box::new(event)));
    }

    /// Adds to an intent that whoever was invited by a sender without being known is a user, as
    /// `signed` says.
    pub fn add_known_invite(
        &self,
        intent: &mut Intent,
        (room, sender): (&Room, &UserId),
        (user_id, profile): (&UserId, &MemberProfile),
        signed: CanonicalJsonObject,
    ) {
        #[derive(Deserialize)]
        struct Invite {
            display_name: Option<String>,
        }
        let token = signed.get("token").and_then(CanonicalJsonValue::as_str);
        let standing = token.and_then(|token| room.state.get(KIND, token));
        let invite = standing.and_then(|event| event.content_as::<Invite>().ok());
        let name = invite.and_then(|invite| invite.display_name);
        let by = CanonicalJsonObject::from([
            ("display_name".to_owned(), name.unwrap_or_default().into()),
            ("signed".to_owned(), CanonicalJsonValue::Object(signed)),
        ]);
        let mut content = member_content("invite", profile, None, false);
        content.insert("third_party_invite".to_owned(), by.into());
        let sender = sender.to_owned();
        let draft = self.state_draft(&sender, "m.room.member", user_id.as_str(), content);
        let event = new_event(&room.room_id, draft);
        self.add(intent, RoomsChange::Event(Box::new(event)));
    }
}

/// Refuses an invitation that leans on what stands for somebody unknown where a plain one would be
/// refused: the rules ask neither whether the sender may invite, nor whether the other is there.
pub(crate) fn check_known_invite(room: &Room, event: &NewEvent) -> Result<(), RoomsRefusal> {
    let draft = &event.draft;
    let Some(user_id) = event.invites() else {
        return Ok(());
    };
    if !draft.content.contains_key("third_party_invite") {
        return Ok(());
    }
    let forbidden = |sentence: &str| Err(RoomsRefusal::Forbidden(sentence.to_owned()));
    if !room.state.may_invite(&draft.sender) {
        return forbidden("inviting somebody needs more power in this room");
    }
    match room.state.membership(&user_id) {
        MembershipState::Join => forbidden("this user is in the room already"),
        _ => Ok(()),
    }
}
