//! The rooms in which people get the server's notices ([spec]): each person has one at most, made
//! with the first notice.
//!
//! A person is invited to it, cannot refuse, cannot speak, and cannot leave. Nothing in it is
//! encrypted, whatever the policy: the server writes it.
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#server-notices

use std::sync::Arc;

use model::{event::EventDraft, room_state::StateView};
use ruma::{OwnedRoomId, RoomId, UserId, events::TimelineEventType};
use serde_json::json;
use store::{Intent, Log, Ticket};

use crate::{
    CreateRoom, MemberProfile, NewEvent, Preset, Room, Rooms, RoomsChange, RoomsError,
    RoomsRefusal,
    create::{object, size_of},
    rooms::from_commit,
};

/// The keyed hash of a notice's name.
pub(crate) type NoticeHash = [u8; 32];

/// What kind of notice it is: one that somebody has written, of no kind that clients know.
const KIND: &str = "conclave.notice";

const ROOM_OF: &str = "SELECT room FROM rooms WHERE notices_for = $1";

const WAS_SENT: &str = "SELECT pos FROM sent_notices WHERE hash = $1 AND user_id = $2";

/// A notice to one person.
#[derive(Clone, Copy)]
pub struct Notice<'a> {
    /// To whom.
    pub user_id: &'a UserId,
    /// Its name: a person gets a notice once.
    pub id: &'a str,
    /// What it says.
    pub text: &'a str,
}

/// Who sends notices, and how they are shown.
#[derive(Clone, Copy)]
pub struct Notifier<'a> {
    /// Who.
    pub user_id: &'a UserId,
    /// Their name, and that of the rooms.
    pub display_name: &'a str,
}

impl Rooms {
    /// The room in which a user, by interned id, gets notices.
    pub async fn notices_room(&self, user: i64) -> Result<Option<Arc<Room>>, RoomsError> {
        let snapshot = self.snapshot().await?;
        match snapshot.query_opt(ROOM_OF, &[user.into()]).await? {
            Some(row) => Ok(self.room_by_number(&snapshot, row.int(0)?).await?),
            None => Ok(None),
        }
    }

    /// Whether a user, by interned id, has got the notice of this name.
    pub async fn has_notice(&self, user: i64, id: &str) -> Result<bool, RoomsError> {
        let snapshot = self.snapshot().await?;
        let params = [self.notice_hash(id)[..].into(), user.into()];
        Ok(snapshot.query_opt(WAS_SENT, &params).await?.is_some())
    }

    /// Sends a notice into the room in which its reader gets them, with what `extra` adds; tells
    /// whether it was sent now, and not before.
    pub async fn send_notice(
        &self,
        log: &Log,
        room: &Room,
        notice: Notice<'_>,
        extra: impl Fn(&mut Intent, &RoomId),
    ) -> Result<bool, RoomsError> {
        let create = room.state.get("m.room.create", "");
        let sender = create.map(|create| create.sender().to_owned());
        let sender = sender.ok_or_else(|| RoomsRefusal::NoSuchRoom(room.room_id.clone()))?;
        let mut intent = Intent::new();
        self.add_name(&mut intent, notice);
        let ticket = self.add_notice(&mut intent, &room.room_id, &sender, notice);
        extra(&mut intent, &room.room_id);
        let mut committed = log.commit(intent).await.map_err(from_commit)?;
        Ok(committed.take(ticket).is_some())
    }

    /// Makes the room in which a user gets notices, and sends the first one into it, with what
    /// `extra` adds: all of it, or nothing where the user has such a room. Tells whether it was
    /// sent now, and not before.
    pub async fn begin_notices(
        &self,
        log: &Log,
        by: Notifier<'_>,
        (notice, profile): (Notice<'_>, MemberProfile),
        extra: impl Fn(&mut Intent, &RoomId),
    ) -> Result<bool, RoomsError> {
        let request = self.notices_room_request(by, (notice.user_id, profile));
        let before = |_: &OwnedRoomId| {
            let mut intent = Intent::new();
            self.add_name(&mut intent, notice);
            intent
        };
        let after = |intent: &mut Intent, room_id: &OwnedRoomId| {
            let ticket = self.add_notice(intent, room_id, by.user_id, notice);
            extra(intent, room_id);
            ticket
        };
        let (_, mut committed, ticket) = self.create_around(log, &request, before, after).await?;
        Ok(committed.take(ticket).is_some())
    }

    fn notices_room_request(
        &self,
        by: Notifier<'_>,
        (user_id, profile): (&UserId, MemberProfile),
    ) -> CreateRoom {
        let name = by.display_name.to_owned();
        CreateRoom {
            creator: by.user_id.to_owned(),
            profile: MemberProfile {
                displayname: Some(name.clone()),
                avatar_url: None,
            },
            version: None,
            preset: Preset::PrivateChat,
            published: false,
            name: Some(name),
            topic: None,
            alias: None,
            invite: vec![(user_id.to_owned(), profile)],
            initial_state: Vec::new(),
            creation_content: object(json!({ "m.federate": false })),
            // Whoever is invited may read, and nothing else.
            power_levels: Some(object(json!({
                "events_default": 50,
                "state_default": 50,
                "invite": 50,
            }))),
            is_direct: false,
            notices_for: Some(user_id.to_owned()),
            by_appservice: false,
        }
    }

    fn add_name(&self, intent: &mut Intent, notice: Notice<'_>) {
        intent.add::<Self>(RoomsChange::NameNotice {
            user_id: notice.user_id.to_owned(),
            hash: self.notice_hash(notice.id),
        });
    }

    fn add_notice(
        &self,
        intent: &mut Intent,
        room_id: &RoomId,
        sender: &UserId,
        notice: Notice<'_>,
    ) -> Ticket<Self> {
        let content = object(json!({
            "msgtype": "m.server_notice",
            "body": notice.text,
            "server_notice_type": KIND,
        }));
        let kind = TimelineEventType::RoomMessage;
        let draft = self.draft(room_id, sender, kind, None, content);
        let event = NewEvent {
            room_id: room_id.to_owned(),
            version: None,
            size_bytes: size_of(&draft.content),
            draft,
            transaction: None,
            annotation: None,
            by_membership: false,
            for_good: false,
            delay_id: None,
        };
        self.add(intent, RoomsChange::Event(Box::new(event)))
    }

    fn notice_hash(&self, id: &str) -> NoticeHash {
        self.keyring().blind("rooms.notices", id.as_bytes())
    }
}

impl Room {
    /// Whether the server writes here what it has to tell somebody, and this is how it does.
    pub(crate) fn is_notice(&self, draft: &EventDraft) -> bool {
        let by_maker = || {
            let create = self.state.get("m.room.create", "");
            create.is_some_and(|create| create.sender() == draft.sender)
        };
        self.notices_for.is_some() && by_maker()
    }
}

/// Refuses the leaving of who gets notices in a room, unless their account is closed.
pub(crate) fn check_leaving(room: &Room, user: i64, event: &NewEvent) -> Result<(), RoomsRefusal> {
    let draft = &event.draft;
    let membership = draft.content.get("membership");
    let leaves = draft.event_type == "m.room.member"
        && draft.state_key.as_deref() == Some(draft.sender.as_str())
        && membership.and_then(|membership| membership.as_str()) == Some("leave");
    match leaves && !event.for_good && room.notices_for == Some(user) {
        true => Err(RoomsRefusal::NoticesRoom),
        false => Ok(()),
    }
}
