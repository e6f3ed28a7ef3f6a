//! Where somebody has not read what notifies them, as a mail lists it.

use mail::{Place, Quoted, RoomNews};
use model::room_state::StateView;
use rooms::{Membership, Room};
use ruma::{UserId, events::room::member::MembershipState};
use store::{Snapshot, StoreError};

use crate::{news::Reader, push::Inner};

/// How many rooms are listed.
const LISTED: usize = 10;

/// What waits for somebody.
pub(crate) struct Summary {
    /// The rooms with the newest of it, the newest first.
    pub(crate) rooms: Vec<RoomNews>,
    /// How many there are besides.
    pub(crate) more: usize,
}

impl Reader {
    /// The rooms in which the reader has not read what notifies them, and into which they are
    /// asked.
    pub(crate) async fn summary(
        &self,
        inner: &Inner,
        snapshot: &Snapshot,
    ) -> Result<Summary, StoreError> {
        let mut found = Vec::new();
        for membership in inner.rooms.memberships(snapshot, self.user).await? {
            if !matches!(membership.membership.as_str(), "invite" | "join") {
                continue;
            }
            let room = inner.rooms.room_by_number(snapshot, membership.room);
            if let Some(room) = room.await?
                && let Some(news) = self.news_of(inner, snapshot, &room, &membership).await?
            {
                found.push(news);
            }
        }
        found.sort_by_key(|(pos, _)| std::cmp::Reverse(*pos));
        let more = found.len().saturating_sub(LISTED);
        found.truncate(LISTED);
        let rooms = found.into_iter().map(|(_, news)| news).collect();
        Ok(Summary { rooms, more })
    }

    /// What waits in a room, and since when in the log.
    async fn news_of(
        &self,
        inner: &Inner,
        snapshot: &Snapshot,
        room: &Room,
        membership: &Membership,
    ) -> Result<Option<(i64, RoomNews)>, StoreError> {
        let user_id = &*self.user_id;
        if membership.membership.as_str() == "invite" {
            let invitation = room.state.get("m.room.member", user_id.as_str());
            let by = invitation.map(|invitation| invitation.sender());
            let by = by.filter(|by| !self.judge.ignored.contains(*by));
            return Ok(by.map(|by| {
                let news = RoomNews::Invited(place(room, user_id), person(room, by));
                (membership.pos, news)
            }));
        }
        let user = (self.user, user_id);
        let counts = inner.rooms.unread(snapshot, room, user, &self.judge);
        let count = counts.await?.all().notification_count;
        let news = || RoomNews::Unread(place(room, user_id), count);
        Ok((count > 0).then(|| (membership.last_pos, news())))
    }
}

/// How a room is called to one who is in it.
fn place(room: &Room, reader: &UserId) -> Place {
    if let Some(name) = room.state.name() {
        return Place::Named(Quoted::new(&name));
    }
    if let Some(alias) = room.state.canonical_alias() {
        return Place::Named(Quoted::new(alias.as_str()));
    }
    let is_here = |membership: Option<&MembershipState>| {
        matches!(
            membership,
            Some(MembershipState::Join | MembershipState::Invite)
        )
    };
    let mut others = room.state.members().filter(|(user, _)| *user != reader);
    match others.find(|(_, member)| is_here(member.membership())) {
        Some((other, _)) => Place::With(person(room, other)),
        None => Place::Nameless,
    }
}

fn person(room: &Room, user: &UserId) -> Quoted {
    let name = room.state.display_name(user);
    Quoted::new(name.as_deref().unwrap_or(user.as_str()))
}
