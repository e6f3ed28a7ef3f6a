//! Following other nodes: the read barrier, and the half-second look at the log.

use std::{sync::Arc, time::Duration};

use tokio::sync::{mpsc, oneshot};

use super::{Pos, Shared, TAIL};
use crate::{
    History, StoreError,
    engine::postgres::{Connector, Role, Session},
};

/// How long a node may not know of another's batch when no bus tells it.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long a reading may take before its session is given up: a server that hangs must not
/// keep this node from finding another.
const GIVE_UP_AFTER: Duration = Duration::from_secs(5);

/// Somebody who needs the head confirmed, or only wants it looked at.
pub(crate) struct Waiting {
    pub(crate) answer: Option<oneshot::Sender<Result<Pos, StoreError>>>,
}

/// Reads the log for everybody at once.
pub(crate) struct Tail {
    shared: Arc<Shared>,
    connector: Connector,
    session: Option<Session>,
}

impl Tail {
    pub(crate) fn start(
        shared: Arc<Shared>,
        connector: Connector,
    ) -> mpsc::UnboundedSender<Waiting> {
        let (sender, waiting) = mpsc::unbounded_channel();
        tokio::spawn(
            Self {
                shared,
                connector,
                session: None,
            }
            .run(waiting),
        );
        sender
    }

    async fn run(mut self, mut waiting: mpsc::UnboundedReceiver<Waiting>) {
        loop {
            let first = match tokio::time::timeout(LOOK_EVERY, waiting.recv()).await {
                Ok(Some(first)) => Some(first),
                Ok(None) => return,
                Err(_) => None,
            };
            // Whoever is about to ask does so first: on a busy node one reading is for many.
            tokio::task::yield_now().await;
            // Everybody who is here now came before the reading that follows.
            let mut group: Vec<Waiting> = first.into_iter().collect();
            while let Ok(next) = waiting.try_recv() {
                group.push(next);
            }
            let began = self.shared.clock.uptime();
            let reading = tokio::time::timeout(GIVE_UP_AFTER, self.catch_up());
            let confirmed = reading.await.unwrap_or_else(|_| {
                let sentence = "the head of the log was not answered".to_owned();
                Err(StoreError::Unavailable(sentence))
            });
            if let Err(error) = &confirmed {
                tracing::warn!(
                    error = error as &dyn std::error::Error,
                    "the head of the log could not be read"
                );
                self.session = None;
            } else {
                self.shared.standing.confirm(began);
            }
            for answer in group.into_iter().filter_map(|waiting| waiting.answer) {
                drop(answer.send(confirmed.clone()));
            }
        }
    }

    async fn catch_up(&mut self) -> Result<Pos, StoreError> {
        let session = match &mut self.session {
            Some(session) if !session.is_closed() => session,
            absent => absent.insert(self.connector.connect(Role::Reader).await?),
        };
        let history = self.shared.database.history();
        loop {
            let seen = history.and_then(History::newest);
            let applied = self.shared.applied();
            let rows = session.query(TAIL, &[applied.get().into()]).await?;
            if !rows.is_empty() {
                self.shared.advance_by(&rows)?;
                continue;
            }
            // What another session had seen before is part of what this one sees.
            if let (Some(history), Some(seen)) = (history, seen)
                && seen.pos() > applied
            {
                history.lose();
            }
            self.shared.still_stands()?;
            return Ok(applied);
        }
    }
}
