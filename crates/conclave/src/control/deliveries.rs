//! Orders about what leaves the server.

use audit::{Act, Actor, AuditTrail, Record};
use model::time::Timestamp;
use outbox::DeadLetter;
use store::{CommitError, Intent, Pos, StoreError};

use super::{
    Answer, DeadLetterLine, LaneLine,
    administration::{Administration, Refusal, failed},
};

/// How many dead letters are listed at once: they fit into one line.
const PAGE: u16 = 128;

impl Administration {
    pub(super) async fn delivery_status(&self) -> Result<Answer, Refusal> {
        let waiting = self.owners.outbox.waiting().await;
        let waiting = waiting.map_err(|error| failed("what waits was not read", &error))?;
        let lanes = waiting.into_iter().map(|waiting| LaneLine {
            lane: waiting.lane,
            letters: waiting.letters,
            targets: waiting.targets,
            failing: waiting.failing,
            dead: waiting.dead,
        });
        Ok(Answer::Deliveries {
            lanes: lanes.collect(),
        })
    }

    pub(super) async fn list_dead_letters(
        &self,
        after: Option<DeadLetterLine>,
    ) -> Result<Answer, Refusal> {
        let after = after.map(letter_of);
        let dead = self.owners.outbox.dead(after.as_ref(), PAGE).await;
        let dead = dead.map_err(|error| failed("dead letters were not read", &error))?;
        let is_full = dead.len() == usize::from(PAGE);
        let letters: Vec<_> = dead.into_iter().map(line_of).collect();
        Ok(Answer::DeadLetters {
            next: letters.last().filter(|_| is_full).cloned(),
            letters,
        })
    }

    /// The record comes first: what is tried again has left a trace, whatever happens then.
    pub(super) async fn replay_dead_letters(
        &self,
        lane: &str,
        target: Option<&str>,
    ) -> Result<Answer, Refusal> {
        let replaying = async {
            self.record_letters(Act::DeliveriesReplayed, lane, target)
                .await?;
            self.owners.outbox.replay(lane, target).await
        };
        let count = replaying.await;
        let count = count.map_err(|error| failed("nothing is tried again", &error))?;
        let count = count as u64;
        Ok(Answer::DeadLettersReplayed { count })
    }

    pub(super) async fn forget_dead_letters(
        &self,
        lane: &str,
        target: Option<&str>,
    ) -> Result<Answer, Refusal> {
        let forgetting = async {
            self.record_letters(Act::DeliveriesForgotten, lane, target)
                .await?;
            self.owners.outbox.forget(lane, target).await
        };
        let count = forgetting.await;
        let count = count.map_err(|error| failed("nothing was forgotten", &error))?;
        let count = count as u64;
        Ok(Answer::DeadLettersForgotten { count })
    }

    async fn record_letters(
        &self,
        act: Act,
        lane: &str,
        target: Option<&str>,
    ) -> Result<(), StoreError> {
        let record = Record::new(act, Actor::CommandLine).with("lane", lane);
        let record = match target {
            Some(target) => record.with("target", target),
            None => record,
        };
        let mut intent = Intent::new();
        intent.add::<AuditTrail>(record);
        let committed = self.owners.log.commit(intent).await;
        committed.map(drop).map_err(CommitError::into_store)
    }
}

fn line_of(letter: DeadLetter) -> DeadLetterLine {
    DeadLetterLine {
        lane: letter.lane,
        target: letter.target,
        pos: letter.pos.get(),
        queued_at: letter.queued_at.as_millis(),
        died_at: letter.died_at.as_millis(),
        fault: letter.fault,
    }
}

fn letter_of(line: DeadLetterLine) -> DeadLetter {
    DeadLetter {
        lane: line.lane,
        target: line.target,
        pos: Pos::new(line.pos),
        queued_at: Timestamp::from_millis(line.queued_at),
        died_at: Timestamp::from_millis(line.died_at),
        fault: line.fault,
    }
}
