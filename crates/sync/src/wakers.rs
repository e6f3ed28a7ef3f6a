//! Who waits for what: a waiting sync is a registered waker, not a polling loop.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use store::Pos;
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
    /// Up to where in the log has been rung.
    rung: Pos,
    /// How often has been rung for what no log records.
    stirred: u64,
}

/// A sync that may wait; it is forgotten when this is dropped.
pub(crate) struct Waiter {
    wakers: Weak<Wakers>,
    bell: Arc<Notify>,
    user: i64,
    rooms: Arc<BTreeSet<i64>>,
    stirred: u64,
}

impl Wakers {
    /// Registers a sync of a user. From now on nothing is missed that concerns them.
    pub(crate) fn register(self: &Arc<Self>, user: i64) -> Waiter {
        let bell = Arc::new(Notify::new());
        let mut waiting = self.waiting.lock();
        let bells = waiting.users.entry(user).or_default();
        bells.push(Arc::clone(&bell));
        Waiter {
            wakers: Arc::downgrade(self),
            bell,
            user,
            rooms: Arc::default(),
            stirred: waiting.stirred,
        }
    }

    /// Whether somebody waits for a room.
    pub(crate) fn is_waited_for(&self, room: i64) -> bool {
        self.waiting.lock().rooms.contains_key(&room)
    }

    /// A batch that ends at `last_pos` was committed.
    pub(crate) fn wake(
        &self,
        last_pos: Pos,
        users: impl Iterator<Item = i64>,
        rooms: impl Iterator<Item = i64>,
    ) {
        let mut waiting = self.waiting.lock();
        waiting.rung = last_pos;
        for user in users {
            ring(waiting.users.get(&user));
        }
        for room in rooms {
            ring(waiting.rooms.get(&room));
        }
    }

    /// Something happened in a room that no log records, such as typing.
    pub(crate) fn wake_room(&self, room: i64) {
        let mut waiting = self.waiting.lock();
        waiting.stirred += 1;
        ring(waiting.rooms.get(&room));
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
    /// Waits for these rooms from now on, which the sync has read at `read_at`.
    ///
    /// Rings itself when something may have happened in a new one since then: whoever has just
    /// read would not learn of it.
    pub(crate) fn follow(&mut self, rooms: Arc<BTreeSet<i64>>, read_at: Pos) {
        if Arc::ptr_eq(&self.rooms, &rooms) {
            return;
        }
        let Some(wakers) = self.wakers.upgrade() else {
            return;
        };
        let mut waiting = wakers.waiting.lock();
        for room in self.rooms.difference(&rooms) {
            forget(&mut waiting.rooms, *room, &self.bell);
        }
        let mut is_new = false;
        for room in rooms.difference(&self.rooms) {
            is_new = true;
            let bells = waiting.rooms.entry(*room).or_default();
            bells.push(Arc::clone(&self.bell));
        }
        if is_new && (waiting.rung > read_at || waiting.stirred > self.stirred) {
            self.bell.notify_one();
        }
        self.stirred = waiting.stirred;
        self.rooms = rooms;
    }

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
        let Waiting { users, rooms, .. } = &mut *waiting;
        forget(users, self.user, &self.bell);
        for room in self.rooms.iter() {
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
    use futures_util::FutureExt;

    use super::*;

    fn commit(wakers: &Wakers, last_pos: i64, room: i64) {
        wakers.wake(Pos::new(last_pos), [].into_iter(), [room].into_iter());
    }

    fn rooms<const N: usize>(rooms: [i64; N]) -> Arc<BTreeSet<i64>> {
        Arc::new(rooms.into())
    }

    fn is_rung(waiter: &Waiter) -> bool {
        waiter.woken().now_or_never().is_some()
    }

    #[test]
    fn a_waiter_leaves_nothing_behind() {
        let wakers = Arc::new(Wakers::default());
        let mut one = wakers.register(1);
        let mut two = wakers.register(1);
        one.follow(rooms([7, 8]), Pos::START);
        two.follow(rooms([8]), Pos::START);
        drop(one);
        assert_eq!(wakers.waiting.lock().rooms.len(), 1);
        two.follow(rooms([]), Pos::START);
        assert!(wakers.waiting.lock().rooms.is_empty());
        drop(two);
        assert!(wakers.waiting.lock().users.is_empty());
    }

    #[test]
    fn a_room_rings_those_who_follow_it() {
        let wakers = Arc::new(Wakers::default());
        let mut waiter = wakers.register(1);
        waiter.follow(rooms([7]), Pos::START);
        commit(&wakers, 1, 8);
        assert!(!is_rung(&waiter));
        commit(&wakers, 2, 7);
        assert!(is_rung(&waiter) && !is_rung(&waiter));
        wakers.wake_room(7);
        assert!(is_rung(&waiter));
        wakers.wake_users([1]);
        assert!(is_rung(&waiter));
    }

    #[test]
    fn what_happens_between_reading_and_following_is_not_missed() {
        let wakers = Arc::new(Wakers::default());
        let mut waiter = wakers.register(1);
        commit(&wakers, 1, 7);
        waiter.follow(rooms([7]), Pos::new(1));
        assert!(!is_rung(&waiter), "it has read that");
        commit(&wakers, 2, 8);
        waiter.follow(rooms([7, 8]), Pos::new(1));
        assert!(is_rung(&waiter));
        wakers.wake_room(9);
        waiter.follow(rooms([7, 8, 9]), Pos::new(2));
        assert!(is_rung(&waiter));
        waiter.follow(rooms([7, 8, 9]), Pos::new(2));
        assert!(!is_rung(&waiter));
    }
}
