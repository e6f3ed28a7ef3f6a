//! The committer: takes what is queued and commits it, one batch after the other.

use std::{sync::Arc, time::Duration};

use tokio::sync::{mpsc, oneshot};

use super::{
    CommitError, Committed, Shared,
    attempt::{self, Failure},
    intent::Resolved,
};
use crate::{
    LocalWrite, Row, StoreError,
    database::Engine,
    engine::{
        ReaderKind,
        postgres::{Connector, Role, Session},
        sqlite::{self, Checkpointer, Connection},
    },
    metrics,
};

/// The most intents in a batch.
const BATCH_INTENTS: usize = 256;

/// The most bytes in a batch, by the appliers' own account.
pub(crate) const BATCH_BYTES: usize = 1024 * 1024;

/// How often a batch is tried before its callers are told that the database does not answer.
const ATTEMPTS: u32 = 6;

pub(crate) struct Queued {
    pub(crate) intent: Resolved,
    pub(crate) answer: oneshot::Sender<Result<Committed, CommitError>>,
}

pub(crate) type LocalAnswer = oneshot::Sender<Result<Vec<Vec<Row>>, StoreError>>;

pub(crate) enum Job {
    Commit(Queued),
    Local(LocalWrite, LocalAnswer),
    Stop(oneshot::Sender<()>),
}

pub(crate) struct Committer {
    shared: Arc<Shared>,
    writer: Writer,
}

/// The session that this node commits with.
#[expect(clippy::large_enum_variant, reason = "there is one for each node")]
pub(crate) enum Writer {
    Sqlite {
        connection: Arc<Connection>,
    },
    Postgres {
        connector: Connector,
        session: Option<Arc<Session>>,
    },
}

impl Committer {
    pub(crate) fn start(shared: Arc<Shared>, queue: mpsc::Receiver<Job>) -> Result<(), StoreError> {
        match &*shared.database.engine {
            Engine::Sqlite { path, writer, .. } => {
                let connection = writer.lock().take().ok_or_else(|| {
                    StoreError::Refused("the log of this database is already running".to_owned())
                })?;
                connection.when_grown(Checkpointer::start(path)?)?;
                let connection = Arc::new(connection);
                let writer = Writer::Sqlite { connection };
                let committer = Self {
                    shared: Arc::clone(&shared),
                    writer,
                };
                // Every statement completes on this thread, so nothing here ever waits for a
                // reactor except the queue.
                sqlite::spawn("committer".to_owned(), move || {
                    futures_executor::block_on(committer.run(queue));
                })?;
            }
            Engine::Postgres { connector, .. } => {
                let writer = Writer::Postgres {
                    connector: connector.clone(),
                    session: None,
                };
                let committer = Self {
                    shared: Arc::clone(&shared),
                    writer,
                };
                tokio::spawn(committer.run(queue));
            }
        }
        Ok(())
    }

    async fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut held = None;
        loop {
            let job = match held.take() {
                Some(job) => Some(job),
                None => queue.recv().await,
            };
            match job {
                Some(Job::Commit(first)) => {
                    let batch = gather(first, &mut queue, &mut held);
                    self.commit(batch).await;
                }
                Some(Job::Local(write, answer)) => drop(answer.send(self.write_local(&write))),
                Some(Job::Stop(done)) => {
                    queue.close();
                    while let Ok(job) = queue.try_recv() {
                        match job {
                            Job::Commit(queued) => self.commit(vec![queued]).await,
                            Job::Local(write, answer) => {
                                drop(answer.send(self.write_local(&write)));
                            }
                            Job::Stop(other) => {
                                let _ = other.send(());
                            }
                        }
                    }
                    drop(self);
                    let _ = done.send(());
                    return;
                }
                None => return,
            }
        }
    }

    /// Commits a batch; a statement that fails sends its halves back, until the culprit
    /// stands alone.
    async fn commit(&mut self, batch: Vec<Queued>) {
        let mut waiting = vec![batch];
        while let Some(mut batch) = waiting.pop() {
            let started = self.shared.clock.uptime();
            match self.persist(&batch).await {
                Ok(answers) => {
                    let took = self.shared.clock.uptime().saturating_sub(started);
                    metrics::batch_committed(batch.len(), took);
                    for (queued, answer) in batch.into_iter().zip(answers) {
                        drop(queued.answer.send(answer));
                    }
                }
                Err(Failure::Statement(error)) if batch.len() > 1 => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        intents = batch.len(),
                        "a batch was refused by the engine; trying its halves"
                    );
                    metrics::batch_bisected();
                    let second = batch.split_off(batch.len() / 2);
                    waiting.push(second);
                    waiting.push(batch);
                }
                Err(failure) => {
                    let error = failure.into_error();
                    for queued in batch {
                        drop(queued.answer.send(Err(error.clone().into())));
                    }
                }
            }
        }
    }

    /// Tries a batch until it is committed, refused, or the database is given up on.
    async fn persist(
        &mut self,
        batch: &[Queued],
    ) -> Result<Vec<Result<Committed, CommitError>>, Failure> {
        let mut attempts = 0;
        loop {
            let failure = match self.connected().await {
                Ok(kind) => match attempt::run(&self.shared, kind, batch).await {
                    Ok(answers) => return Ok(answers),
                    Err(failure) => failure,
                },
                Err(error) => Failure::Lost(error),
            };
            let failure = match failure {
                Failure::Unknown { error, outcome } => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the outcome of a commit is unknown; looking it up"
                    );
                    metrics::outcome_settled();
                    self.disconnect();
                    if self.stands(outcome.batch_id()).await {
                        return Ok(outcome.conclude(&self.shared));
                    }
                    Failure::Lost(error)
                }
                other => other,
            };
            attempts += 1;
            match failure {
                Failure::Lost(_) if attempts < ATTEMPTS => self.disconnect(),
                Failure::Transient(_) if attempts < ATTEMPTS => {}
                given_up => return Err(given_up),
            }
            self.pause(attempts).await;
        }
    }

    /// Finds out whether a batch whose COMMIT was not answered stands. Asks until it knows:
    /// nothing may be committed, and nobody answered, before.
    async fn stands(&mut self, batch_id: &str) -> bool {
        let mut attempts = 0;
        loop {
            let found = match self.connected().await {
                Ok(kind) => attempt::find_batch(kind, batch_id).await,
                Err(error) => Err(error),
            };
            match found {
                Ok(found) => return found,
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "the outcome of a commit is still unknown"
                    );
                    self.disconnect();
                    attempts += 1;
                    self.pause(attempts).await;
                }
            }
        }
    }

    async fn connected(&mut self) -> Result<ReaderKind, StoreError> {
        match &mut self.writer {
            Writer::Sqlite { connection } => Ok(ReaderKind::SqliteHere(Arc::clone(connection))),
            Writer::Postgres { connector, session } => {
                if let Some(session) = session
                    && !session.is_closed()
                {
                    return Ok(ReaderKind::Postgres(Arc::clone(session)));
                }
                let fresh = Arc::new(connector.connect(Role::Committer).await?);
                *session = Some(Arc::clone(&fresh));
                Ok(ReaderKind::Postgres(fresh))
            }
        }
    }

    fn disconnect(&mut self) {
        if let Writer::Postgres { session, .. } = &mut self.writer {
            *session = None;
        }
    }

    async fn pause(&self, attempts: u32) {
        // SQLite waits inside its own busy time-out.
        if matches!(self.writer, Writer::Postgres { .. }) {
            let pause = Duration::from_millis(50 << attempts.min(5));
            #[expect(
                clippy::disallowed_methods,
                reason = "waits for a real server, whose time no test moves"
            )]
            tokio::time::sleep(pause).await;
        }
    }

    /// Only SQLite's local writes come here: they share its one writer.
    fn write_local(&self, write: &LocalWrite) -> Result<Vec<Vec<Row>>, StoreError> {
        let Writer::Sqlite { connection } = &self.writer else {
            return Err(StoreError::Refused(
                "local writes have sessions of their own".to_owned(),
            ));
        };
        connection.local_write(write)
    }
}

/// Takes what is queued behind `first`, without waiting, as far as one batch may go.
fn gather(first: Queued, queue: &mut mpsc::Receiver<Job>, held: &mut Option<Job>) -> Vec<Queued> {
    let mut size_bytes = first.intent.size_bytes;
    let mut batch = vec![first];
    while batch.len() < BATCH_INTENTS {
        match queue.try_recv() {
            Ok(Job::Commit(next)) => {
                if size_bytes + next.intent.size_bytes > BATCH_BYTES {
                    *held = Some(Job::Commit(next));
                    break;
                }
                size_bytes += next.intent.size_bytes;
                batch.push(next);
            }
            Ok(other) => {
                *held = Some(other);
                break;
            }
            Err(_) => break,
        }
    }
    batch
}
