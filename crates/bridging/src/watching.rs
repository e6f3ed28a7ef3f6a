//! Which services a room concerns: known in memory by the node that follows the log.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use appservices::Appservice;
use rooms::RoomsError;
use ruma::{RoomId, UserId, events::room::member::MembershipState};
use store::{Pos, Snapshot, StoreError};

use crate::bridging::Inner;

/// How much is kept of rooms and users, together; then it is read anew.
const MOST_KEPT: usize = 1_000_000;

/// Services, by their place among those that are told anything.
pub(crate) type Services = BTreeSet<usize>;

/// Who is concerned by what.
pub(crate) struct Watching {
    pub(crate) services: Vec<Appservice>,
    has_aliases: bool,
    /// By user, which services act for them.
    users: HashMap<i64, Arc<[usize]>>,
    rooms: HashMap<i64, Watched>,
}

/// A room, as it stood when the log was at some position.
struct Watched {
    /// Services that want to know everything of it, because of its id.
    by_id: Vec<usize>,
    /// The same because of its aliases, and as of when.
    by_alias: Vec<usize>,
    aliases_as_of: (i64, i64),
    /// Up to where in the log its aliases were looked for.
    aliases_upto: Pos,
    /// Those of its members for whom services act.
    members: HashMap<String, Arc<[usize]>>,
}

impl Watching {
    /// Of these services, those that are told anything.
    pub(crate) fn of<'a>(services: impl Iterator<Item = &'a Appservice>) -> Self {
        let services = services.filter(|service| service.url().is_some());
        let services: Vec<_> = services.cloned().collect();
        Self {
            has_aliases: services.iter().any(Appservice::has_aliases),
            services,
            users: HashMap::new(),
            rooms: HashMap::new(),
        }
    }

    /// Those of all services for which something holds.
    pub(crate) fn those(&self, holds: impl Fn(&Appservice) -> bool) -> Vec<usize> {
        let numbered = self.services.iter().enumerate();
        numbered
            .filter(|(_, service)| holds(service))
            .map(|(number, _)| number)
            .collect()
    }

    /// Forgets everything when it has become too much.
    pub(crate) fn stay_bounded(&mut self) {
        let members = self.rooms.values().map(|room| room.members.len() + 8);
        if members.sum::<usize>() + self.users.len() > MOST_KEPT {
            self.rooms.clear();
            self.users.clear();
        }
    }

    /// Which services act for a user.
    pub(crate) async fn of_user(
        &mut self,
        inner: &Inner,
        reader: &Snapshot,
        user: i64,
    ) -> Result<Arc<[usize]>, StoreError> {
        if let Some(known) = self.users.get(&user) {
            return Ok(Arc::clone(known));
        }
        let user_id = inner.rooms.user_id(reader, user).await?;
        let services: Arc<[usize]> = self.of_name(user_id.as_str());
        self.users.insert(user, Arc::clone(&services));
        Ok(services)
    }

    fn of_name(&self, name: &str) -> Arc<[usize]> {
        let user_id = <&UserId>::try_from(name);
        user_id.map_or_else(
            |_| Arc::default(),
            |user_id| self.those(|service| service.acts_for(user_id)).into(),
        )
    }

    /// The services that the user whom state is about has, if it is about one.
    pub(crate) fn of_target(&self, state_key: &str) -> Arc<[usize]> {
        match state_key.starts_with('@') {
            true => self.of_name(state_key),
            false => Arc::default(),
        }
    }

    /// The services that a room concerns, as it stands after `pos`: who is in it then, and its
    /// aliases of now.
    ///
    /// What happens to its members after `pos` has to be [noted](Self::note_member).
    pub(crate) async fn of_room(
        &mut self,
        inner: &Inner,
        reader: &Snapshot,
        room: i64,
        pos: Pos,
    ) -> Result<Services, StoreError> {
        if !self.rooms.contains_key(&room) {
            let watched = self.read(inner, reader, room, pos).await?;
            self.rooms.insert(room, watched);
        }
        self.look_for_aliases(inner, reader, room).await?;
        let watched = &self.rooms[&room];
        let members = watched
            .members
            .values()
            .flat_map(|services| services.iter());
        let by_room = watched.by_id.iter().chain(&watched.by_alias);
        Ok(by_room.chain(members).copied().collect())
    }

    async fn read(
        &self,
        inner: &Inner,
        reader: &Snapshot,
        room: i64,
        pos: Pos,
    ) -> Result<Watched, StoreError> {
        let name = inner.log.database().names().room_name(reader, room).await?;
        let room_id = <&RoomId>::try_from(&*name);
        let by_id = room_id.map_or_else(
            |_| Vec::new(),
            |room_id| self.those(|service| service.claims_room(room_id)),
        );
        let mut members = HashMap::new();
        for name in inner.rooms.joined_at(reader, room, pos).await? {
            let services = self.of_name(&name);
            if !services.is_empty() {
                members.insert(name, services);
            }
        }
        Ok(Watched {
            by_id,
            by_alias: Vec::new(),
            aliases_as_of: (0, 0),
            aliases_upto: Pos::START,
            members,
        })
    }

    /// Reads the aliases of a room again if they have changed.
    async fn look_for_aliases(
        &mut self,
        inner: &Inner,
        reader: &Snapshot,
        room: i64,
    ) -> Result<(), StoreError> {
        let head = reader.head();
        let Some(watched) = self.rooms.get(&room) else {
            return Ok(());
        };
        if !self.has_aliases || watched.aliases_upto == head {
            return Ok(());
        }
        let as_of = inner.rooms.aliases_as_of(reader, room).await?;
        let mut by_alias = None;
        if as_of != watched.aliases_as_of {
            let name = inner.log.database().names().room_name(reader, room).await?;
            let aliases = match <&RoomId>::try_from(&*name) {
                Ok(room_id) => match inner.rooms.aliases_of(room_id).await {
                    Ok(aliases) => aliases,
                    Err(RoomsError::Store(error)) => return Err(error),
                    Err(_) => Vec::new(),
                },
                Err(_) => Vec::new(),
            };
            by_alias = Some(self.those(|service| {
                let mut aliases = aliases.iter();
                aliases.any(|alias| service.claims_alias(alias))
            }));
        }
        if let Some(watched) = self.rooms.get_mut(&room) {
            watched.aliases_upto = head;
            watched.aliases_as_of = as_of;
            watched.by_alias = by_alias.unwrap_or_else(|| std::mem::take(&mut watched.by_alias));
        }
        Ok(())
    }

    /// Notes what became of a user in a room that is known.
    pub(crate) fn note_member(&mut self, room: i64, name: &str, membership: &MembershipState) {
        let services = self.of_name(name);
        let Some(watched) = self.rooms.get_mut(&room) else {
            return;
        };
        if *membership == MembershipState::Join && !services.is_empty() {
            watched.members.insert(name.to_owned(), services);
        } else {
            watched.members.remove(name);
        }
    }
}
