//! The committer: takes what is queued and commits it, one batch after the other.

use std::{sync::Arc, time::Duration};

use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::{
    CommitError, Committed, Shared,
    attempt::{self, Failure},
    intent::Resolved,
    standing::Waits,
    stopped, transaction,
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
    /// It is counted as long as this is there.
    pub(super) _waits: Waits,
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
    /// While stopping: the database did not answer, and is not asked again.
    gave_up: bool,
}

/// The session that this node commits with.
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
                connection.checkpoint_with(Checkpointer::start(path)?)?;
                let connection = Arc::new(connection);
                let writer = Writer::Sqlite { connection };
                let committer = Self {
                    shared: Arc::clone(&shared),
                    writer,
                    gave_up: false,
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
                    gave_up: false,
                };
                tokio::spawn(committer.run(queue));
            }
        }
        Ok(())
    }

    async fn run(mut self, jobs: mpsc::Receiver<Job>) {
        let mut queue = Queue { jobs, held: None };
        let mut stops = Vec::new();
        while let Some(round) = queue.next_round().await {
            if !round.batch.intents.is_empty() {
                self.commit(round.batch, &mut queue).await;
            }
            if !round.locals.is_empty() {
                self.write_locals(round.locals);
            }
            if !round.stops.is_empty() {
                stops.extend(round.stops);
                queue.jobs.close();
            }
        }
        self.close();
        for stopped in stops {
            let _: Result<(), ()> = stopped.send(());
        }
    }

    /// Leaves one file behind on SQLite, if nobody reads any more.
    fn close(self) {
        if let Writer::Sqlite { connection } = &self.writer
            && let Err(error) = connection.batch("PRAGMA wal_checkpoint(TRUNCATE)")
        {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the write-ahead log stays beside its file"
            );
        }
    }

    /// Commits a batch; a statement that fails sends its halves back, until the culprit
    /// stands alone.
    async fn commit(&mut self, batch: Filling, queue: &mut Queue) {
        let mut queue = Some(queue);
        let mut waiting = vec![batch];
        while let Some(mut batch) = waiting.pop() {
            let started = self.shared.clock.uptime();
            // What comes while halves are tried is not mixed with them.
            let answers = self.persist(&mut batch, queue.take()).await;
            let mut batch = batch.intents;
            match answers {
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
                    waiting.push(Filling::of(second));
                    waiting.push(Filling::of(batch));
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
    ///
    /// What is queued by the time at which the log is locked goes along: who waits for other nodes
    /// waits for this batch, not for the one behind it.
    async fn persist(
        &mut self,
        batch: &mut Filling,
        mut queue: Option<&mut Queue>,
    ) -> Result<Vec<Result<Committed, CommitError>>, Failure> {
        if self.gave_up {
            return Err(Failure::Lost(stopped()));
        }
        let mut attempts = 0;
        loop {
            let failure = match self.connected().await {
                Ok(kind) => match self.attempt(kind, batch, queue.as_deref_mut()).await {
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
                    match self.stands(outcome.batch_id()).await {
                        Ok(true) => return Ok(outcome.conclude(&self.shared)),
                        // A disk that has no room now has none in a second either; whoever
                        // asked may try again, and nobody else waits behind this batch.
                        Ok(false) if self.is_embedded() && !error.is_conflict() => {
                            return Err(Failure::Lost(error));
                        }
                        Ok(false) => Failure::Lost(error),
                        Err(unanswered) => return Err(Failure::Lost(unanswered)),
                    }
                }
                other => other,
            };
            attempts += 1;
            let goes_on = attempts < ATTEMPTS && !self.shared.is_stopping();
            match failure {
                Failure::Lost(error) => {
                    self.disconnect();
                    if !goes_on {
                        self.gave_up = self.shared.is_stopping();
                        return Err(Failure::Lost(error));
                    }
                }
                Failure::Transient(_) if goes_on => {}
                given_up => return Err(given_up),
            }
            self.pause(attempts).await;
        }
    }

    async fn attempt(
        &self,
        kind: ReaderKind,
        batch: &mut Filling,
        queue: Option<&mut Queue>,
    ) -> Result<Vec<Result<Committed, CommitError>>, Failure> {
        let locked = attempt::lock(&self.shared, kind).await?;
        if let Some(queue) = queue {
            queue.fill(batch);
        }
        attempt::run(&self.shared, locked, &batch.intents).await
    }

    /// Finds out whether a batch whose COMMIT was not answered stands. Asks until it knows:
    /// nothing may be committed, and nobody answered, before. Only a node that stops leaves
    /// its callers without the truth.
    async fn stands(&mut self, batch_id: Uuid) -> Result<bool, StoreError> {
        let mut attempts = 0;
        loop {
            let found = match self.connected().await {
                Ok(kind) => transaction::find_batch(kind, batch_id).await,
                Err(error) => Err(error),
            };
            match found {
                Ok(found) => return Ok(found),
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "the outcome of a commit is still unknown"
                    );
                    self.disconnect();
                    if self.shared.is_stopping() {
                        self.gave_up = true;
                        return Err(error);
                    }
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

    /// Whether the database is a file: no connection to it can be lost.
    fn is_embedded(&self) -> bool {
        matches!(self.writer, Writer::Sqlite { .. })
    }

    fn disconnect(&mut self) {
        if let Writer::Postgres { session, .. } = &mut self.writer {
            *session = None;
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "waits for a real server or a real disk, whose time no test moves"
    )]
    async fn pause(&self, attempts: u32) {
        let pause = Duration::from_millis(50 << attempts.min(5));
        match self.writer {
            // The committer of SQLite has a thread of its own, and no reactor.
            Writer::Sqlite { .. } => std::thread::sleep(pause),
            Writer::Postgres { .. } => tokio::time::sleep(pause).await,
        }
    }

    /// Only SQLite's local writes come here: they share its one writer, and one flush.
    fn write_locals(&self, locals: Vec<(LocalWrite, LocalAnswer)>) {
        let (writes, answers): (Vec<_>, Vec<_>) = locals.into_iter().unzip();
        let written = match &self.writer {
            Writer::Sqlite { connection } => connection.local_writes(&writes),
            Writer::Postgres { .. } => Err(StoreError::Refused(
                "local writes have sessions of their own".to_owned(),
            )),
        };
        match written {
            Ok(written) => {
                for (answer, written) in answers.into_iter().zip(written) {
                    drop(answer.send(written));
                }
            }
            Err(error) => {
                for answer in answers {
                    drop(answer.send(Err(error.clone())));
                }
            }
        }
    }
}

/// What callers ask for, in their order.
struct Queue {
    jobs: mpsc::Receiver<Job>,
    /// The first that did not belong to the last round.
    held: Option<Job>,
}

/// What is done together.
#[derive(Default)]
struct Round {
    batch: Filling,
    locals: Vec<(LocalWrite, LocalAnswer)>,
    stops: Vec<oneshot::Sender<()>>,
}

/// A batch that takes intents until it is full.
#[derive(Default)]
struct Filling {
    intents: Vec<Queued>,
    size_bytes: usize,
}

impl Queue {
    /// Waits for one job, and takes what is queued behind it as far as one batch may go.
    async fn next_round(&mut self) -> Option<Round> {
        let mut round = Round::default();
        let first = match self.held.take() {
            Some(job) => job,
            None => self.jobs.recv().await?,
        };
        self.held = round.add(first);
        while !round.is_full() && self.held.is_none() {
            let Ok(job) = self.jobs.try_recv() else { break };
            self.held = round.add(job);
        }
        Some(round)
    }

    /// Adds the intents that have come since to a batch, up to the first job of another kind.
    fn fill(&mut self, batch: &mut Filling) {
        while !batch.is_full() && self.held.is_none() {
            self.held = match self.jobs.try_recv() {
                Ok(Job::Commit(next)) => batch.add(next).map(Job::Commit),
                Ok(other) => Some(other),
                Err(_) => return,
            };
        }
    }
}

impl Round {
    fn is_full(&self) -> bool {
        self.batch.is_full() || self.locals.len() >= BATCH_INTENTS
    }

    /// Gives an intent back that is too large for what is left of the batch.
    fn add(&mut self, job: Job) -> Option<Job> {
        match job {
            Job::Commit(next) => return self.batch.add(next).map(Job::Commit),
            Job::Local(write, answer) => self.locals.push((write, answer)),
            Job::Stop(stopped) => self.stops.push(stopped),
        }
        None
    }
}

impl Filling {
    fn of(intents: Vec<Queued>) -> Self {
        let size_bytes = intents.iter().map(|queued| queued.intent.size_bytes).sum();
        Self {
            intents,
            size_bytes,
        }
    }

    fn is_full(&self) -> bool {
        self.intents.len() >= BATCH_INTENTS
    }

    /// Gives an intent back that is too large for what is left.
    fn add(&mut self, next: Queued) -> Option<Queued> {
        let size_bytes = self.size_bytes + next.intent.size_bytes;
        if size_bytes > BATCH_BYTES && !self.intents.is_empty() {
            return Some(next);
        }
        self.size_bytes = size_bytes;
        self.intents.push(next);
        None
    }
}
