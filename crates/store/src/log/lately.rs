//! What was touched lately, and where in the log: who remembers something as it was at an earlier
//! position asks here whether it still stands.

use std::{collections::HashMap, mem};

use super::{Batch, Epochs, Pos, applier::Applier as _};

/// How many things a generation remembers; two of them are kept.
const REMEMBERED: usize = 65_536;

/// The last positions at which rooms, users, devices and kinds of change were touched, as far as
/// this node has applied the log.
///
/// Of what it does not remember it says that it was touched where its memory begins: it may have
/// been, there or before.
#[derive(Debug)]
pub struct Lately {
    head: Pos,
    young: Generation,
    old: Generation,
}

#[derive(Debug)]
struct Generation {
    /// Behind this, everything is remembered.
    after: Pos,
    touched: HashMap<Thing, Pos>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Thing {
    Room(i64),
    User(i64),
    Device(i64, String),
    Kind(String),
}

impl Lately {
    pub(super) fn new(head: Pos) -> Self {
        Self {
            head,
            young: Generation::new(head),
            old: Generation::new(head),
        }
    }

    /// Up to where this node has applied the log.
    pub fn head(&self) -> Pos {
        self.head
    }

    /// Where a room was touched last.
    pub fn room(&self, room: i64) -> Pos {
        self.last(&Thing::Room(room))
    }

    /// Where a user was touched last.
    pub fn user(&self, user: i64) -> Pos {
        self.last(&Thing::User(user))
    }

    /// Where a device was touched last.
    pub fn device(&self, user: i64, device: &str) -> Pos {
        self.last(&Thing::Device(user, device.to_owned()))
    }

    /// Where there was a change of a kind last.
    pub fn kind(&self, kind: &str) -> Pos {
        self.last(&Thing::Kind(kind.to_owned()))
    }

    fn last(&self, thing: &Thing) -> Pos {
        let known = self.young.touched.get(thing);
        let known = known.or_else(|| self.old.touched.get(thing));
        known.copied().unwrap_or(self.old.after)
    }

    /// Notes a batch.
    pub(super) fn note(&mut self, batch: &Batch) {
        let (at, touched) = (batch.last_pos, &batch.touched);
        if touched.has_kind(Epochs::KIND) {
            self.forget_all(at);
            return;
        }
        if self.young.touched.len() >= REMEMBERED {
            let young = Generation::new(self.head);
            self.old = mem::replace(&mut self.young, young);
        }
        self.head = at;
        let rooms = touched.rooms().map(Thing::Room);
        let users = touched.users().map(Thing::User);
        let devices = touched.devices();
        let devices = devices.map(|(user, device)| Thing::Device(user, device.to_owned()));
        let kinds = touched.kinds().map(|kind| Thing::Kind(kind.to_owned()));
        let things = rooms.chain(users).chain(devices).chain(kinds);
        self.young.touched.extend(things.map(|thing| (thing, at)));
    }

    /// Anything may have been touched up to a position, which is the head now.
    pub(super) fn forget_all(&mut self, at: Pos) {
        *self = Self::new(at);
    }
}

impl Generation {
    fn new(after: Pos) -> Self {
        Self {
            after,
            touched: HashMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use model::time::Timestamp;

    use super::*;
    use crate::Touched;

    fn batch(at: i64, touch: impl FnOnce(&mut Touched)) -> Batch {
        let mut touched = Touched::default();
        touch(&mut touched);
        Batch {
            first_pos: Pos::new(at),
            last_pos: Pos::new(at),
            at: Timestamp::from_millis(0),
            touched,
        }
    }

    #[test]
    fn what_is_not_remembered_may_have_been_touched_before_the_memory_begins() {
        let mut lately = Lately::new(Pos::new(5));
        assert_eq!(lately.room(1), Pos::new(5));
        lately.note(&batch(6, |touched| touched.add_room(1)));
        lately.note(&batch(7, |touched| {
            touched.add_user(1);
            touched.add_device(1, "PHONE");
            touched.add_kind("rooms");
        }));
        assert_eq!(lately.head(), Pos::new(7));
        assert_eq!((lately.room(1), lately.room(2)), (Pos::new(6), Pos::new(5)));
        assert_eq!((lately.user(1), lately.user(2)), (Pos::new(7), Pos::new(5)));
        assert_eq!(lately.device(1, "PHONE"), Pos::new(7));
        assert_eq!(lately.device(1, "OTHER"), Pos::new(5));
        assert_eq!(lately.kind("rooms"), Pos::new(7));
        assert_eq!(lately.kind("keys"), Pos::new(5));
    }

    #[test]
    fn memory_is_bounded_and_what_falls_out_of_it_counts_as_touched() {
        let mut lately = Lately::new(Pos::START);
        lately.note(&batch(1, |touched| touched.add_user(7)));
        let many = 3 * REMEMBERED as i64;
        for room in 0..many {
            lately.note(&batch(2 + room, |touched| touched.add_room(room)));
        }
        let kept = lately.young.touched.len() + lately.old.touched.len();
        assert!(kept <= 2 * REMEMBERED, "{kept}");
        assert_eq!(lately.room(many - 1), lately.head());
        // Nobody knows any more when, but not behind what is still remembered.
        assert!(lately.user(7) > Pos::new(1) && lately.user(7) < lately.head());
        assert_eq!(lately.user(7), lately.room(0));
    }

    #[test]
    fn in_another_epoch_nothing_remembered_stands() {
        let mut lately = Lately::new(Pos::START);
        lately.note(&batch(1, |touched| touched.add_room(1)));
        lately.note(&batch(2, |touched| touched.add_kind(Epochs::KIND)));
        assert_eq!((lately.room(1), lately.user(9)), (Pos::new(2), Pos::new(2)));
    }
}
