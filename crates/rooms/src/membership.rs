//! Who is in a room: join, leave, invite, kick, ban, unban, knock, forget.

use ruma::{
    CanonicalJsonObject, OwnedMxcUri, RoomId, UserId, events::room::member::MembershipState,
};
use serde::Deserialize;
use serde_json::json;
use store::{Intent, Log};

use model::{event::Pdu, room_state::StateView};

use crate::{
    NewEvent, Room, Rooms, RoomsChange, RoomsError, RoomsRefusal,
    create::{object, size_of},
};

/// How somebody is shown in a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberProfile {
    /// The display name.
    pub displayname: Option<String>,
    /// The avatar.
    pub avatar_url: Option<OwnedMxcUri>,
}

/// What somebody does to a membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberChange {
    /// Comes in, or changes how they are shown.
    Join(MemberProfile),
    /// Goes, or declines, or takes a knock back.
    Leave,
    /// The same, because the account is closed: out of every room.
    LeaveForGood,
    /// Asks another in.
    Invite {
        /// How the other is shown.
        profile: MemberProfile,
        /// Whether it is to a direct chat.
        is_direct: bool,
    },
    /// Sends another out.
    Kick,
    /// Sends another out for good.
    Ban,
    /// Lifts a ban.
    Unban,
    /// Asks to be let in.
    Knock(MemberProfile),
}

impl Rooms {
    /// Changes the membership of `target`; doing what is done already succeeds.
    pub async fn change_member(
        &self,
        log: &Log,
        room_id: &RoomId,
        sender: &UserId,
        target: &UserId,
        change: MemberChange,
        reason: Option<&str>,
    ) -> Result<(), RoomsError> {
        let room = self.room(room_id).await?;
        if is_done(&room, sender, target, &change)? {
            return Ok(());
        }
        let event = self.member_event(&room, sender, target, &change, reason);
        let change_it = RoomsChange::Event(Box::new(event));
        match self.commit(log, Intent::new(), change_it).await {
            Ok(_) => Ok(()),
            Err(RoomsError::Refused(refusal)) => {
                // Somebody else may have done it in between.
                let room = self.room(room_id).await?;
                match is_done(&room, sender, target, &change) {
                    Ok(true) => Ok(()),
                    _ => Err(refusal.into()),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Takes a room out of the list of one who has left it.
    pub async fn forget(
        &self,
        log: &Log,
        room_id: &RoomId,
        user_id: &UserId,
    ) -> Result<(), RoomsError> {
        self.room(room_id).await?;
        let change = RoomsChange::Forget {
            room_id: room_id.to_owned(),
            user_id: user_id.to_owned(),
        };
        self.commit(log, Intent::new(), change).await.map(drop)
    }

    fn member_event(
        &self,
        room: &Room,
        sender: &UserId,
        target: &UserId,
        change: &MemberChange,
        reason: Option<&str>,
    ) -> NewEvent {
        let none = MemberProfile::default();
        let content = match change {
            MemberChange::Join(profile) => member_content("join", profile, reason, false),
            MemberChange::Knock(profile) => member_content("knock", profile, reason, false),
            MemberChange::Invite { profile, is_direct } => {
                member_content("invite", profile, reason, *is_direct)
            }
            MemberChange::Ban => member_content("ban", &none, reason, false),
            MemberChange::Leave
            | MemberChange::LeaveForGood
            | MemberChange::Kick
            | MemberChange::Unban => member_content("leave", &none, reason, false),
        };
        let sender = sender.to_owned();
        let mut draft = self.state_draft(&sender, "m.room.member", target.as_str(), content);
        draft.room_id = Some(room.room_id.clone());
        let size_bytes = size_of(&draft.content);
        let room_id = room.room_id.clone();
        NewEvent {
            room_id,
            version: None,
            draft,
            transaction: None,
            size_bytes,
            annotation: None,
            by_membership: matches!(change, MemberChange::Join(_)),
            for_good: matches!(change, MemberChange::LeaveForGood),
            delay_id: None,
        }
    }
}

/// Whether there is nothing left to do; refuses what the state makes senseless.
fn is_done(
    room: &Room,
    sender: &UserId,
    target: &UserId,
    change: &MemberChange,
) -> Result<bool, RoomsRefusal> {
    let now = room.state.membership(target);
    let ever = room.state.get("m.room.member", target.as_str()).is_some();
    let forbidden = |sentence: &str| Err(RoomsRefusal::Forbidden(sentence.to_owned()));
    match change {
        // A join also refreshes how its sender is shown.
        MemberChange::Join(profile) => Ok(sender == target
            && now == MembershipState::Join
            && room
                .state
                .get("m.room.member", target.as_str())
                .is_some_and(|event| shown_in(event) == *profile)),
        // Who is in a room is no business of those outside, nor whether there is such a room.
        MemberChange::Kick | MemberChange::Ban | MemberChange::Unban
            if !room.state.is_joined(sender) =>
        {
            forbidden("you are not in this room")
        }
        MemberChange::Invite { .. } | MemberChange::Ban => Ok(false),
        MemberChange::Knock(_) => Ok(now == MembershipState::Knock),
        MemberChange::Leave | MemberChange::LeaveForGood if now == MembershipState::Ban => {
            forbidden("you are banned from this room")
        }
        MemberChange::Leave | MemberChange::LeaveForGood if !ever => {
            Err(RoomsRefusal::NoSuchRoom(room.room_id.clone()))
        }
        MemberChange::Leave | MemberChange::LeaveForGood => Ok(now == MembershipState::Leave),
        MemberChange::Kick => match now {
            MembershipState::Join | MembershipState::Invite | MembershipState::Knock => Ok(false),
            _ => forbidden("this user is not in the room"),
        },
        MemberChange::Unban => match now {
            MembershipState::Ban => Ok(false),
            _ => forbidden("this user is not banned"),
        },
    }
}

/// How a member event shows its subject.
fn shown_in(event: &Pdu) -> MemberProfile {
    #[derive(Deserialize)]
    struct Content {
        #[serde(default)]
        displayname: Option<String>,
        #[serde(default)]
        avatar_url: Option<OwnedMxcUri>,
    }
    let content = event.content_as::<Content>().ok();
    content.map_or_else(MemberProfile::default, |content| MemberProfile {
        displayname: content.displayname,
        avatar_url: content.avatar_url,
    })
}

/// The content of a member event.
pub(crate) fn member_content(
    membership: &str,
    profile: &MemberProfile,
    reason: Option<&str>,
    is_direct: bool,
) -> CanonicalJsonObject {
    let mut content = object(json!({ "membership": membership }));
    if let Some(name) = &profile.displayname {
        content.insert("displayname".to_owned(), name.as_str().into());
    }
    if let Some(url) = &profile.avatar_url {
        content.insert("avatar_url".to_owned(), url.as_str().into());
    }
    if let Some(reason) = reason {
        content.insert("reason".to_owned(), reason.into());
    }
    if is_direct {
        content.insert("is_direct".to_owned(), true.into());
    }
    content
}
