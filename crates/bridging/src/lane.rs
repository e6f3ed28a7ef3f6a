//! The lane "appservices": how letters become transactions.

use std::{sync::Arc, time::Duration};

use appservices::Appservice;
use outbox::{Delivered, Lane, Letter, Then};
use store::{LeasedCursor, LocalWrite, Pos, StoreError};

use crate::{bridging::Inner, sending::NotTaken, telling::Telling, transaction::Content};

/// How large a transaction becomes before what is left waits for the next one.
const MAX_BYTES: usize = 2 * 1024 * 1024;

const READ: &str = "SELECT first_pos, last_pos FROM appservice_transactions WHERE appservice = $1";

const OPEN: &str = "INSERT INTO appservice_transactions (appservice, first_pos, last_pos) \
     VALUES ($1, $2, $3) ON CONFLICT (appservice) \
     DO UPDATE SET first_pos = excluded.first_pos, last_pos = excluded.last_pos";

/// The lane: each service is a target, by its id.
pub(crate) struct ToAppservices {
    pub(crate) inner: Arc<Inner>,
    /// Under which it is noted what was sent.
    pub(crate) cursor: LeasedCursor,
}

/// Letters that make a transaction, and what they tell.
struct Parcel {
    content: Content,
    /// How many letters, from the first.
    letters: usize,
    /// Names the transaction: the same for the same letters, and never for others.
    txn_id: String,
    /// From the first letter to the last, where that is not noted yet.
    new: Option<(Pos, Pos)>,
}

impl Lane for ToAppservices {
    const NAME: &'static str = "appservices";

    /// A bridge that was down for weeks still gets everything; one that was removed without a word
    /// does not fill the database for ever.
    const PATIENCE: Duration = Duration::from_secs(30 * 24 * 3_600);

    const TOGETHER: u16 = 100;

    async fn deliver(&self, target: &str, letters: &[Letter]) -> Result<Delivered, StoreError> {
        let appservice = self.inner.appservices().by_id(target);
        let told = appservice.filter(|appservice| appservice.url().is_some());
        let Some(appservice) = told else {
            // It is registered no longer, or wants nothing any more.
            let then = Then::Drop;
            return Ok(Delivered { done: 0, then });
        };
        // Who reads here may need a second snapshot while it holds the first: many at once would
        // wait for each other.
        let reading = self.inner.reading.lock().await;
        let parcel = self.parcel(appservice, letters).await?;
        drop(reading);
        if parcel.content.is_empty() {
            return Ok(done(parcel.letters));
        }
        if let Some((first, last)) = parcel.new {
            // Before it is sent: whoever goes on after a crash sends the same under the same name.
            let params = vec![target.into(), first.get().into(), last.get().into()];
            let write = LocalWrite::new().and(OPEN, params);
            self.cursor.write_here(write).await?;
        }
        let body = parcel.content.to_json().into();
        match self.inner.send(appservice, &parcel.txn_id, body).await {
            Ok(()) => {
                // Only now: what is not taken waits on.
                let messages = parcel.content.messages;
                self.inner.keys.to_device_told(messages).await?;
                Ok(done(parcel.letters))
            }
            Err(NotTaken { fault, after }) => {
                let then = Then::TryAgain { fault, after };
                Ok(Delivered { done: 0, then })
            }
        }
    }
}

fn done(letters: usize) -> Delivered {
    Delivered {
        done: letters,
        then: Then::GoOn,
    }
}

impl ToAppservices {
    /// What is sent now: the transaction that was begun before, or else a new one.
    async fn parcel(
        &self,
        appservice: &Appservice,
        letters: &[Letter],
    ) -> Result<Parcel, StoreError> {
        let snapshot = self.inner.log.database().snapshot().await?;
        let telling = Telling {
            inner: &self.inner,
            snapshot: &snapshot,
            appservice,
            now: self.inner.log.clock().now(),
        };
        let first = letters.first().map_or(Pos::START, |letter| letter.pos);
        let row = snapshot.query_opt(READ, &[appservice.id().into()]).await?;
        let begun = match row {
            Some(row) if row.int(0)? == first.get() => Some(Pos::new(row.int(1)?)),
            _ => None,
        };
        let mut content = Content::default();
        let mut last = first;
        let mut count = 0;
        for letter in letters {
            match begun {
                Some(upto) if letter.pos > upto => break,
                None if count > 0 && content.size_bytes() >= MAX_BYTES => break,
                _ => {}
            }
            telling.add(&mut content, letter.pos).await?;
            last = letter.pos;
            count += 1;
        }
        let last = begun.unwrap_or(last);
        Ok(Parcel {
            content,
            letters: count,
            // Of another history, a position is another change.
            txn_id: format!("{}.{}.{}", snapshot.epoch(), first.get(), last.get()),
            new: begun.is_none().then_some((first, last)),
        })
    }
}
