//! Following the log, and writing the index behind it.

use std::time::Duration;

use store::{Begin, LeasedCursor, Pos, StoreError};

use crate::{
    Search,
    changes::{Changes, Place},
    text::Text,
};

/// How many events one step reads, and how many postings it adds: its transaction is over in some
/// milliseconds, and sends pass between two of them.
const EVENTS: i64 = 128;
const POSTINGS: usize = 4_096;

/// Over how many positions one step looks for them: PostgreSQL reads all of them while a table has no
/// statistics.
const STRETCH: i64 = 1_024;

/// How long what is new waits for company: a word that many say is then written once.
const GATHER: Duration = Duration::from_millis(100);

/// How long the index rests between two steps, and how many times as long as the last one took.
const REST: Duration = Duration::from_millis(5);
const REST_TIMES: u32 = 2;

impl Search {
    /// Keeps the index up to what was said, for as long as it is polled, if this node is the one
    /// that does. What a deployment holds from before it had an index comes into it in small
    /// steps.
    ///
    /// Dropping it loses nothing: how far it has come is written with each step, here or on
    /// another node the next one goes on from there.
    pub async fn keep_index(&self) {
        let work = |cursor| self.clone().follow(cursor);
        let run = LeasedCursor::run(&self.inner.log, "search", Begin::AtTheStart, work);
        Box::pin(run).await;
    }

    async fn follow(self, cursor: LeasedCursor) -> Result<(), StoreError> {
        loop {
            cursor.more().await?;
            pause(GATHER).await;
            let clock = self.inner.log.clock();
            loop {
                let began = clock.uptime();
                if !self.step(&cursor).await? {
                    break;
                }
                let took = clock.uptime().saturating_sub(began);
                pause(REST.max(took * REST_TIMES)).await;
            }
        }
    }

    /// Writes what some of the next events change; tells whether there are more.
    async fn step(&self, cursor: &LeasedCursor) -> Result<bool, StoreError> {
        let rooms = &self.inner.rooms;
        let snapshot = rooms.snapshot().await?;
        let after = cursor.pos();
        let head = snapshot.head();
        let up_to = head.min(Pos::new(after.get().saturating_add(STRETCH)));
        let (said, mut end) = rooms.said(&snapshot, after, up_to, EVENTS).await?;
        let mut changes = Changes::new(&self.inner.keyring);
        for said in said {
            let place = |pos, ord| Place {
                room: said.room,
                pos,
                ord,
            };
            if let Some((pos, ord)) = said.redacts {
                changes.remove(place(pos, ord));
            }
            if let Some(text) = Text::of(&said.event.pdu) {
                let here = place(said.event.pos, said.event.ord);
                changes.add(here, &text);
            }
            if changes.postings() >= POSTINGS {
                end = said.event.pos;
                break;
            }
        }
        if changes.is_empty() {
            cursor.pass(end);
            return Ok(end < head);
        }
        let write = changes.to_write(&snapshot).await?;
        // A write waits for the one before it, and others wait for a snapshot.
        drop(snapshot);
        cursor.write(write, end).await?;
        Ok(end < head)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "it makes way for other writers in real time, whatever time a test says it is"
)]
async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}
