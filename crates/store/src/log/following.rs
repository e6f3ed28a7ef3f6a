//! Following the log from a position: from memory as far as this node has heard of the batches, from
//! the database what lies before.

use std::sync::Arc;

use tokio::sync::broadcast::{
    Receiver,
    error::{RecvError, TryRecvError},
};

use super::{Batch, Log, Pos, stopped};
use crate::StoreError;

/// The batches behind a position, each once and in order.
pub struct Following {
    log: Log,
    batches: Receiver<Arc<Batch>>,
    /// Behind this, the receiver gets everything.
    heard_from: Pos,
    /// Up to here, everything was given.
    given: Pos,
}

impl Log {
    /// Follows the log from a position.
    pub fn follow(&self, after: Pos) -> Following {
        // In this order: what is applied between the two is heard, and counts as applied.
        let batches = self.subscribe();
        Following {
            log: self.clone(),
            batches,
            heard_from: self.applied(),
            given: after,
        }
    }
}

impl Following {
    /// Waits for the next batches, and gives at most so many of them. What they changed can be read
    /// in any snapshot that is taken from now on.
    pub async fn next(&mut self, most: usize) -> Result<Vec<Arc<Batch>>, StoreError> {
        loop {
            let batches = match self.given < self.heard_from {
                true => self.read(most).await?,
                false => self.hear(most).await?,
            };
            if let Some(last) = batches.last() {
                self.given = last.last_pos;
                return Ok(batches);
            }
        }
    }

    /// Up to where everything was given.
    pub fn given(&self) -> Pos {
        self.given
    }

    async fn read(&mut self, most: usize) -> Result<Vec<Arc<Batch>>, StoreError> {
        let snapshot = self.log.database().snapshot().await?;
        let read = snapshot.batches_after(self.given).await?;
        // The snapshot may be ahead of this node's caches, to which whoever follows looks.
        let applied = self.log.applied();
        let read = read.into_iter().take(most);
        let read: Vec<_> = read
            .take_while(|batch| batch.last_pos <= applied)
            .map(Arc::new)
            .collect();
        if read.is_empty() {
            // It was to be followed from a position at which no batch ends.
            self.given = self.heard_from;
        }
        Ok(read)
    }

    async fn hear(&mut self, most: usize) -> Result<Vec<Arc<Batch>>, StoreError> {
        let mut heard = Vec::new();
        match self.batches.recv().await {
            Ok(batch) => heard.push(batch),
            Err(RecvError::Lagged(_)) => return Ok(self.lagged()),
            Err(RecvError::Closed) => return Err(stopped()),
        }
        while heard.len() < most {
            match self.batches.try_recv() {
                Ok(batch) => heard.push(batch),
                // Told before what was missed: it is found by reading on from here.
                Err(TryRecvError::Lagged(_)) => {
                    self.lagged();
                    break;
                }
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        // What was applied between subscribing and asking for the position is heard too.
        heard.retain(|batch| batch.last_pos > self.given);
        Ok(heard)
    }

    /// Some were missed: they are read.
    fn lagged(&mut self) -> Vec<Arc<Batch>> {
        self.batches = self.batches.resubscribe();
        self.heard_from = self.log.applied();
        Vec::new()
    }
}
