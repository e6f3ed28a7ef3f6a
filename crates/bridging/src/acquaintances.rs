//! Whom a service has to know the keys of: those who share a room with it, which is one with a
//! user of it, or one that is in its namespaces.

use std::collections::HashMap;

use appservices::Appservice;
use model::event::Pdu;
use rooms::{Room, RoomsError};
use ruma::{OwnedUserId, UserId, events::room::member::MembershipState};
use store::{Pos, Snapshot, StoreError};

use crate::{bridging::Inner, telling::Telling};

/// One service, and when it is asked.
pub(crate) struct Acquaintances<'a> {
    inner: &'a Inner,
    snapshot: &'a Snapshot,
    appservice: &'a Appservice,
}

/// Which rooms concern the service, as they stood at a position.
struct Concerns {
    pos: Pos,
    known: HashMap<i64, bool>,
}

impl<'a> Acquaintances<'a> {
    pub(crate) fn of(telling: &Telling<'a>) -> Self {
        Self {
            inner: telling.inner,
            snapshot: telling.snapshot,
            appservice: telling.appservice,
        }
    }

    /// Who came to share a room with the service by the event at a position, and who shares none
    /// any longer.
    ///
    /// Asked of that moment, whenever it is told: so each parting is told once, and in its place.
    pub(crate) async fn changed_by(
        &self,
        room: &Room,
        event: &Pdu,
        replaced: Option<&Pdu>,
        pos: Pos,
    ) -> Result<Vec<(OwnedUserId, bool)>, StoreError> {
        let is_in = |event: &Pdu| event.membership() == Some(&MembershipState::Join);
        let (was_in, is_in) = (replaced.is_some_and(is_in), is_in(event));
        let subject = event.state_key().and_then(|key| UserId::parse(key).ok());
        let Some(subject) = subject.filter(|_| was_in != is_in) else {
            return Ok(Vec::new());
        };
        // As all stood, or stands, without the subject in the room.
        let apart = if is_in { Pos::new(pos.get() - 1) } else { pos };
        let mut concerns = Concerns {
            pos: apart,
            known: HashMap::new(),
        };
        let concerns_anyway = self.concerns(room.room, &mut concerns).await?;
        let people = if self.appservice.acts_for(&subject) {
            match concerns_anyway {
                true => Vec::new(),
                false => self.people_in(room.room, apart).await?,
            }
        } else {
            match concerns_anyway {
                true => vec![subject],
                false => Vec::new(),
            }
        };
        let mut changed = Vec::new();
        for user_id in people {
            if !self.shares_a_room(&user_id, &mut concerns).await? {
                changed.push((user_id, is_in));
            }
        }
        Ok(changed)
    }

    async fn people_in(&self, room: i64, pos: Pos) -> Result<Vec<OwnedUserId>, StoreError> {
        let names = self.inner.rooms.joined_at(self.snapshot, room, pos).await?;
        let people = names.iter().filter_map(|name| UserId::parse(name).ok());
        Ok(people.collect())
    }

    /// Whether somebody who is no user of the service is in a room that concerns it.
    async fn shares_a_room(
        &self,
        user_id: &UserId,
        concerns: &mut Concerns,
    ) -> Result<bool, StoreError> {
        let names = self.inner.log.database().names();
        let Some(user) = names.user(self.snapshot, user_id.as_str()).await? else {
            return Ok(false);
        };
        let rooms = &self.inner.rooms;
        let joined = rooms.joined_rooms_at(self.snapshot, user, user_id, concerns.pos);
        for room in joined.await? {
            if self.concerns(room, concerns).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a room concerns the service: who was in it then, and its aliases of now.
    async fn concerns(&self, room: i64, concerns: &mut Concerns) -> Result<bool, StoreError> {
        if let Some(known) = concerns.known.get(&room) {
            return Ok(*known);
        }
        let concerned = self.claims(room).await? || self.has_users_in(room, concerns.pos).await?;
        concerns.known.insert(room, concerned);
        Ok(concerned)
    }

    async fn claims(&self, room: i64) -> Result<bool, StoreError> {
        let room_id = self.inner.rooms.room_id(self.snapshot, room).await?;
        if self.appservice.claims_room(&room_id) {
            return Ok(true);
        }
        if !self.appservice.has_aliases() {
            return Ok(false);
        }
        match self.inner.rooms.aliases_of(&room_id).await {
            Ok(aliases) => Ok(aliases
                .iter()
                .any(|alias| self.appservice.claims_alias(alias))),
            Err(RoomsError::Store(error)) => Err(error),
            Err(_) => Ok(false),
        }
    }

    async fn has_users_in(&self, room: i64, pos: Pos) -> Result<bool, StoreError> {
        let people = self.people_in(room, pos).await?;
        let mut people = people.iter();
        Ok(people.any(|user_id| self.appservice.acts_for(user_id)))
    }
}
