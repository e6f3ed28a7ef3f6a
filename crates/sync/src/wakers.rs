//! Who waits for what: a waiting sync is a registered waker, not a polling loop.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use store::Touched;
use tokio::sync::Notify;

/// Wakes waiting syncs by user and by room.
#[derive(Default)]
pub(crate) struct Wakers {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    users: HashMap<i64, Vec<Arc<Notify>>>,
    rooms: HashMap<i64, Vec<Arc<Notify>>>,
}

/// A waiting sync; it is forgotten when this is dropped.
pub(crate) struct Waiter {
    wakers: Weak<Wakers>,
    bell: Arc<Notify>,
    user: i64,
    rooms: Vec<i64>,
}

impl Wakers {
    /// Registers a sync of a user who is in these rooms. From now on nothing is missed.
    pub(crate) fn register(self: &Arc<Self>, user: i64, rooms: Vec<i64>) -> Waiter {
        let bell = Arc::new(Notify::new());
        let mut waiting = self.waiting.lock();
        waiting
            .users
            .entry(user)
            .or_default()
            .push(Arc::clone(&bell));
        for room in &rooms {
            waiting
                .rooms
                .entry(*room)
                .or_default()
                .push(Arc::clone(&bell));
        }
        Waiter {
            wakers: Arc::downgrade(self),
            bell,
            user,
            rooms,
        }
    }

    /// A batch was committed.
    pub(crate) fn wake(&self, touched: &Touched) {
        let waiting = self.waiting.lock();
        for user in touched
            .users()
            .chain(touched.devices().map(|(user, _)| user))
        {
            ring(waiting.users.get(&user));
        }
        for room in touched.rooms() {
            ring(waiting.rooms.get(&room));
        }
    }

    /// Something happened in a room that no log records, such as typing.
    pub(crate) fn wake_room(&self, room: i64) {
        ring(self.waiting.lock().rooms.get(&room));
    }

    /// Something happened to users that no log records, such as presence.
    pub(crate) fn wake_users(&self, users: impl IntoIterator<Item = i64>) {
        let waiting = self.waiting.lock();
        for user in users {
            ring(waiting.users.get(&user));
        }
    }

    /// What was missed is unknown: everybody looks again.
    pub(crate) fn wake_all(&self) {
        for bells in self.waiting.lock().users.values() {
            ring(Some(bells));
        }
    }
}

fn ring(bells: Option<&Vec<Arc<Notify>>>) {
    for bell in bells.into_iter().flatten() {
        // Kept for the next wait when nobody waits right now.
        bell.notify_one();
    }
}

impl Waiter {
    /// Completes when something happened since the last call, or since registration.
    pub(crate) async fn woken(&self) {
        self.bell.notified().await;
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let Some(wakers) = self.wakers.upgrade() else {
            return;
        };
        let mut waiting = wakers.waiting.lock();
        let Waiting { users, rooms } = &mut *waiting;
        forget(users, self.user, &self.bell);
        for room in &self.rooms {
            forget(rooms, *room, &self.bell);
        }
    }
}

fn forget(bells: &mut HashMap<i64, Vec<Arc<Notify>>>, key: i64, bell: &Arc<Notify>) {
    if let Some(list) = bells.get_mut(&key) {
        list.retain(|other| !Arc::ptr_eq(other, bell));
        if list.is_empty() {
            bells.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiter_leaves_nothing_behind() {
        let wakers = Arc::new(Wakers::default());
        let one = wakers.register(1, vec![7, 8]);
        let two = wakers.register(1, vec![8]);
        drop(one);
        assert_eq!(wakers.waiting.lock().rooms.len(), 1);
        drop(two);
        let waiting = wakers.waiting.lock();
        assert!(waiting.users.is_empty() && waiting.rooms.is_empty());
    }

    #[tokio::test]
    async fn what_happens_between_registration_and_waiting_is_not_missed() {
        let wakers = Arc::new(Wakers::default());
        let waiter = wakers.register(1, vec![7]);
        wakers.wake_room(7);
        waiter.woken().await;
    }
}
