//! The threads that a user follows ([MSC4306]), and what changed of them.
//!
//! [MSC4306]: https://github.com/matrix-org/matrix-spec-proposals/pull/4306

use std::collections::HashSet;

use ruma::{EventId, OwnedEventId, OwnedRoomId, RoomId, UserId};
use store::{Intent, Log, Reader, Row, StoreError};

use crate::{
    NewThreadSubscription, Room, Rooms, RoomsChange, RoomsError, RoomsRefusal, StoredEvent,
    ThreadWish, about_many::AboutMany, rooms::stored_room_id, stored::event_id_at,
};

/// What a user said of a thread last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadSubscription {
    /// The room of the thread.
    pub room_id: OwnedRoomId,
    /// The first event of the thread.
    pub thread: OwnedEventId,
    /// Whether they follow it; if not, they did, or said that they never want to.
    pub subscribed: bool,
    /// Whether a client followed it by itself.
    pub automatic: bool,
    /// Where in the log they said so: of two changes of a thread, the higher one is later.
    pub pos: i64,
}

const ONE: &str = "SELECT subscribed, automatic FROM thread_subscriptions \
     WHERE user_id = $1 AND room = $2 AND thread = $3";

const BETWEEN: &str = "SELECT room, thread, subscribed, automatic, pos FROM thread_subscriptions \
     WHERE user_id = $1 AND pos > $2 AND pos <= $3 ORDER BY pos DESC LIMIT $4";

const MOVED: &str = "SELECT MAX(pos) FROM thread_subscriptions WHERE user_id = $1";

const MOVED_IN: &str = "SELECT MAX(pos) FROM thread_subscriptions WHERE user_id = $1 AND room = $2";

/// The user, the room.
static FOLLOWED: AboutMany = AboutMany::new(
    "SELECT s.thread FROM wanted w CROSS JOIN thread_subscriptions s \
     WHERE s.thread = w.event_id AND s.user_id = $1 AND s.room = $2 AND s.subscribed = 1",
    2,
);

impl Rooms {
    /// Follows a thread: because the user says so, or because of an event in it for which their
    /// client does so by itself.
    pub async fn follow_thread(
        &self,
        log: &Log,
        (room_id, thread): (&RoomId, &EventId),
        user_id: &UserId,
        cause: Option<&EventId>,
    ) -> Result<(), RoomsError> {
        let root = self.visible_event(room_id, thread, user_id).await?;
        if root.pdu.facts().relation.is_some() {
            return Err(RoomsRefusal::NoThreadRoot.into());
        }
        let wish = match cause {
            Some(cause) => {
                let cause = self.cause(room_id, cause, user_id).await?;
                self.check_cause(room_id, thread, &cause).await?;
                ThreadWish::FollowFor(cause.pos)
            }
            None => ThreadWish::Follow,
        };
        self.say_of_thread(log, (room_id, thread), user_id, wish)
            .await
    }

    /// Follows a thread no longer, or never.
    pub async fn leave_thread(
        &self,
        log: &Log,
        (room_id, thread): (&RoomId, &EventId),
        user_id: &UserId,
    ) -> Result<(), RoomsError> {
        self.visible_event(room_id, thread, user_id).await?;
        self.say_of_thread(log, (room_id, thread), user_id, ThreadWish::Leave)
            .await
    }

    /// Whether a user follows a thread, and if so whether a client did that by itself.
    pub async fn thread_subscription(
        &self,
        (room_id, thread): (&RoomId, &EventId),
        (user, user_id): (i64, &UserId),
    ) -> Result<Option<bool>, RoomsError> {
        self.visible_event(room_id, thread, user_id).await?;
        let room = self.room(room_id).await?;
        let snapshot = self.snapshot().await?;
        let params = [user.into(), room.room.into(), thread.as_str().into()];
        let row = snapshot.query_opt(ONE, &params).await?;
        match row {
            Some(row) if row.flag(0)? => Ok(Some(row.flag(1)?)),
            _ => Ok(None),
        }
    }

    /// What a user said of threads after `after`, up to and including `until`, newest first, at
    /// most `limit`. Of each thread only what they said last is known: read at a moment, what was
    /// said again later than `until` is missing, and told by whoever reads on from there.
    pub async fn thread_subscriptions_between(
        &self,
        reader: &Reader,
        user: i64,
        after: i64,
        until: i64,
        limit: usize,
    ) -> Result<Vec<ThreadSubscription>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let params = [user.into(), after.into(), until.into(), limit.into()];
        let rows = reader.query(BETWEEN, &params).await?;
        let mut changes = Vec::with_capacity(rows.len());
        for row in &rows {
            let name = self.names().room_name(reader, row.int(0)?).await?;
            changes.push(ThreadSubscription {
                room_id: stored_room_id(&name)?,
                thread: event_id_at(row, 1)?,
                subscribed: row.flag(2)?,
                automatic: row.flag(3)?,
                pos: row.int(4)?,
            });
        }
        Ok(changes)
    }

    /// Where in the log a user last said something of a thread, in a room or in any; nothing if
    /// they never did.
    pub async fn thread_subscriptions_moved(
        &self,
        reader: &Reader,
        user: i64,
        room: Option<&Room>,
    ) -> Result<Option<i64>, StoreError> {
        let moved = match room {
            Some(room) => {
                let params = [user.into(), room.room.into()];
                reader.query_opt(MOVED_IN, &params).await?
            }
            None => reader.query_opt(MOVED, &[user.into()]).await?,
        };
        moved.map_or(Ok(None), |row: Row| row.opt_int(0))
    }

    /// Which of these threads a user follows.
    pub async fn followed_threads(
        &self,
        reader: &Reader,
        user: i64,
        room: &Room,
        threads: &[OwnedEventId],
    ) -> Result<HashSet<OwnedEventId>, StoreError> {
        if threads.is_empty() {
            return Ok(HashSet::new());
        }
        let own = [user.into(), room.room.into()];
        let rows = FOLLOWED.query(reader, &own, threads).await?;
        rows.iter().map(|row| event_id_at(row, 0)).collect()
    }

    /// The event for which a client follows a thread. What the user may not see is in no thread.
    async fn cause(
        &self,
        room_id: &RoomId,
        cause: &EventId,
        user_id: &UserId,
    ) -> Result<StoredEvent, RoomsError> {
        let cause = self.visible_event(room_id, cause, user_id).await;
        cause.map_err(|error| match error {
            RoomsError::Refused(RoomsRefusal::NoSuchEvent) => RoomsRefusal::CauseNotInThread.into(),
            other => other,
        })
    }

    async fn check_cause(
        &self,
        room_id: &RoomId,
        thread: &EventId,
        cause: &StoredEvent,
    ) -> Result<(), RoomsError> {
        let room = self.room(room_id).await?;
        let snapshot = self.snapshot().await?;
        let threads = self.threads_of(&snapshot, &room, [cause].into_iter());
        match threads.await?.get(cause.pdu.event_id()) {
            Some(root) if root == thread => Ok(()),
            _ => Err(RoomsRefusal::CauseNotInThread.into()),
        }
    }

    async fn say_of_thread(
        &self,
        log: &Log,
        (room_id, thread): (&RoomId, &EventId),
        user_id: &UserId,
        wish: ThreadWish,
    ) -> Result<(), RoomsError> {
        let change = RoomsChange::ThreadSubscription(NewThreadSubscription {
            room_id: room_id.to_owned(),
            user_id: user_id.to_owned(),
            thread: thread.to_owned(),
            wish,
        });
        self.commit(log, Intent::new(), change).await?;
        Ok(())
    }
}
