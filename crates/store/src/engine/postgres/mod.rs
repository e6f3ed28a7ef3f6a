//! PostgreSQL: sessions with prepared statements, one for the committer, a pool for reads.

mod address;
mod certificate;
mod connector;
mod cursor;
mod noting;
mod pool;
mod tls;
mod together;
mod values;

use std::{
    collections::HashMap,
    future::{pending, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use futures_util::{
    future::{BoxFuture, maybe_done, try_join_all},
    poll,
};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_postgres::{Client, Statement, types::ToSql};

use self::values::{
    Column, by_reference, check_params, check_rows, check_table_rows, from_postgres, text_of,
    text_of_table,
};
pub(crate) use self::{
    connector::Connector,
    cursor::{COLUMNS, Cursor},
    noting::Inserting,
    pool::{Lease, Pool},
};
use super::{Insert, Step, Writes};
use crate::{Row, StoreError, Table, Value};

/// What every session is told first. A stalled holder of the log's lock is ended by the
/// server after a second, so that one frozen node cannot stop the others.
const COMMITTER_SETTINGS: &str = "\
    SET idle_in_transaction_session_timeout = '1s'; \
    SET lock_timeout = '5s'; \
    SET statement_timeout = '10s'; \
    SET default_transaction_isolation = 'read committed'";

const READER_SETTINGS: &str = "\
    SET idle_in_transaction_session_timeout = '30s'; \
    SET lock_timeout = '5s'; \
    SET statement_timeout = '30s'";

/// Rows come in whenever their source gives them, and an index of a large table takes its time.
const MOVER_SETTINGS: &str = "\
    SET idle_in_transaction_session_timeout = '10min'; \
    SET lock_timeout = '5s'; \
    SET statement_timeout = 0";

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Committer,
    Reader,
    /// Fills a database that nobody else uses yet.
    Mover,
}

impl Role {
    /// How long an answer may take. The server's own limits are shorter: only one that hangs
    /// is given up for this.
    fn answer_within(self) -> Duration {
        match self {
            Self::Committer => Duration::from_secs(15),
            Self::Reader => Duration::from_secs(40),
            Self::Mover => Duration::from_secs(24 * 60 * 60),
        }
    }
}

/// How a batch did not end in a commit.
#[derive(Debug)]
pub(crate) enum CommitFailure {
    /// A statement was refused, and everything was rolled back.
    RolledBack(StoreError),
    /// COMMIT was sent, and what became of it is not known.
    Unknown(StoreError),
}

/// A server that hangs answers nothing, and its connection stays open.
fn no_answer() -> StoreError {
    StoreError::Unavailable("PostgreSQL did not answer in time".to_owned())
}

/// A connection and what was prepared on it.
pub(crate) struct Session {
    client: Client,
    warned: Arc<AtomicBool>,
    answer_within: Duration,
    given_up: AtomicBool,
    statements: Mutex<HashMap<Key, Statement>>,
    /// Of several hosts, which one it is connected to, and which one is the primary.
    host: Option<(usize, watch::Receiver<usize>)>,
}

/// How many statements for several tables are prepared: which tables a batch writes is mostly one
/// of a few sets.
const MOST_TOGETHER: usize = 64;

#[derive(PartialEq, Eq, Hash)]
enum Key {
    Text(&'static str),
    Insert(usize),
    Together(Box<[usize]>),
}

impl Key {
    /// Of several inserts.
    fn together(part: &[Step]) -> Option<Self> {
        let addresses = inserts(part).map(|(insert, _)| address(insert));
        (part.len() > 1).then(|| Self::Together(addresses.collect()))
    }

    fn of(insert: &'static Insert) -> Self {
        Self::Insert(address(insert))
    }
}

/// The inserts among steps, with their rows.
fn inserts(steps: &[Step]) -> impl Iterator<Item = (&'static Insert, &[Vec<Value>])> {
    steps.iter().filter_map(|step| match step {
        Step::Insert(insert, rows) => Some((*insert, rows.as_slice())),
        Step::Execute(..) => None,
    })
}

/// The columns of an insert's rows.
fn columns<'a>(
    (insert, rows): (&'static Insert, &'a [Vec<Value>]),
) -> impl Iterator<Item = Column<'a>> {
    (0..insert.columns.len()).map(move |index| Column { rows, index })
}

fn as_params<'a>(columns: &'a [Column<'_>]) -> Vec<&'a (dyn ToSql + Sync)> {
    let columns = columns.iter();
    columns
        .map(|column| column as &(dyn ToSql + Sync))
        .collect()
}

fn address(insert: &'static Insert) -> usize {
    std::ptr::from_ref(insert).addr()
}

impl Session {
    /// A connection, before anything is told to it.
    fn new(client: Client, warned: Arc<AtomicBool>, role: Role) -> Self {
        Self {
            client,
            warned,
            answer_within: role.answer_within(),
            given_up: AtomicBool::new(false),
            statements: Mutex::default(),
            host: None,
        }
    }

    /// From now on it is left when another host is the primary.
    fn belongs_to(&mut self, host: usize, primary: watch::Receiver<usize>) {
        self.host = Some((host, primary));
    }

    async fn prepare_session(&self, role: Role) -> Result<(), StoreError> {
        match role {
            Role::Committer => self.batch(COMMITTER_SETTINGS).await?,
            Role::Reader => self.batch(READER_SETTINGS).await?,
            Role::Mover => self.batch(MOVER_SETTINGS).await?,
        }
        // A weaker setting of the role or the database must not weaken an acknowledgement.
        let rows = self
            .query("SELECT current_setting('synchronous_commit')", &[])
            .await?;
        if let Some(row) = rows.first()
            && matches!(row.text(0)?, "off" | "local")
        {
            self.batch("SET synchronous_commit = 'on'").await?;
        }
        Ok(())
    }

    pub(crate) async fn query(
        &self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<Vec<Row>, StoreError> {
        let querying = async {
            let statement = self.statement(Key::Text(sql), || sql.to_owned()).await?;
            check_params(&statement, params)?;
            let rows = self.client.query(&statement, &by_reference(params)).await?;
            rows.iter().map(from_postgres).collect()
        };
        self.in_time(querying).await
    }

    pub(crate) async fn execute(
        &self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<u64, StoreError> {
        let executing = async {
            let statement = self.statement(Key::Text(sql), || sql.to_owned()).await?;
            check_params(&statement, params)?;
            let params = by_reference(params);
            Ok(self.client.execute(&statement, &params).await?)
        };
        self.in_time(executing).await
    }

    pub(crate) async fn insert_many(
        &self,
        insert: &'static Insert,
        rows: &[Vec<Value>],
    ) -> Result<u64, StoreError> {
        let inserting = async {
            let statement = self.statement(Key::of(insert), || text_of(insert)).await?;
            check_rows(insert, rows)?;
            let columns: Vec<_> = columns((insert, rows)).collect();
            let params = as_params(&columns);
            Ok(self.client.execute(&statement, &params).await?)
        };
        self.in_time(inserting).await
    }

    /// Adds rows to a table that only its description names.
    pub(crate) async fn append(&self, table: &Table, rows: Vec<Row>) -> Result<(), StoreError> {
        let rows: Vec<Vec<Value>> = rows.into_iter().map(|row| row.0).collect();
        let appending = async {
            check_table_rows(table, &rows)?;
            let statement = self.client.prepare(&text_of_table(table)).await?;
            let columns = (0..table.columns.len()).map(|index| Column { rows: &rows, index });
            let columns: Vec<_> = columns.collect();
            let params = as_params(&columns);
            self.client.execute(&statement, &params).await?;
            Ok(())
        };
        self.in_time(appending).await
    }

    /// Runs statements that take no parameters.
    pub(crate) async fn batch(&self, sql: &str) -> Result<(), StoreError> {
        let running = self.client.batch_execute(sql);
        self.in_time(async { Ok(running.await?) }).await
    }

    /// Writes, and commits: one round trip for all of it, once the statements are prepared.
    ///
    /// When a statement is refused, those behind it and COMMIT only find that the transaction
    /// is over, and PostgreSQL rolls back.
    pub(crate) async fn write_and_commit(&self, writes: &Writes) -> Result<(), CommitFailure> {
        let parts = self.parts(&writes.steps);
        let preparing = try_join_all(parts.iter().map(|part| self.prepare_part(part)));
        if let Err(error) = preparing.await {
            return Err(self.rolled_back(error).await);
        }
        self.warned.store(false, Ordering::Release);
        let mut sent = Vec::with_capacity(parts.len());
        for part in &parts {
            // A statement that is prepared is sent when its future is polled first.
            let mut sending = Box::pin(self.run_part(part));
            match poll!(sending.as_mut()) {
                Poll::Pending => sent.push(sending),
                Poll::Ready(Ok(_)) => {}
                // It was not even sent: without it, nothing may be committed.
                Poll::Ready(Err(error)) => return Err(self.rolled_back(error).await),
            }
        }
        let mut committing = Box::pin(maybe_done(self.batch("COMMIT")));
        let _ = poll!(committing.as_mut());
        for written in sent {
            match written.await {
                Ok(_) => {}
                Err(error) if error.is_disconnect() => return Err(CommitFailure::Unknown(error)),
                Err(error) => {
                    committing.await;
                    return Err(CommitFailure::RolledBack(error));
                }
            }
        }
        committing.as_mut().await;
        let answer = committing.as_mut().take_output();
        answer
            .unwrap_or_else(|| Err(no_answer()))
            .map_err(CommitFailure::Unknown)?;
        if self.warned.load(Ordering::Acquire) {
            // A wait for a standby was cut short.
            let sentence = "PostgreSQL warned at COMMIT".to_owned();
            return Err(CommitFailure::Unknown(StoreError::Unavailable(sentence)));
        }
        Ok(())
    }

    /// Ends the transaction; when that is not confirmed, it ends with the connection.
    async fn rolled_back(&self, error: StoreError) -> CommitFailure {
        CommitFailure::RolledBack(match self.batch("ROLLBACK").await {
            Ok(()) => error,
            Err(lost) => lost,
        })
    }

    /// What goes together, as far as there is room for more statements.
    fn parts<'s>(&self, steps: &'s [Step]) -> Vec<&'s [Step]> {
        let parts = together::parts(steps).into_iter();
        let parts = parts.flat_map(|part| match self.has_room_for(part) {
            true => vec![part],
            false => part.chunks(1).collect(),
        });
        parts.collect()
    }

    fn has_room_for(&self, part: &[Step]) -> bool {
        let Some(key) = Key::together(part) else {
            return true;
        };
        let statements = self.statements.lock();
        let together = statements
            .keys()
            .filter(|key| matches!(key, Key::Together(_)));
        statements.contains_key(&key) || together.count() < MOST_TOGETHER
    }

    async fn prepare_part(&self, part: &[Step]) -> Result<(), StoreError> {
        match part {
            [step] => self.prepare_step(step).await,
            several => {
                for (insert, rows) in inserts(several) {
                    check_rows(insert, rows)?;
                }
                self.in_time(self.statement_together(several))
                    .await
                    .map(drop)
            }
        }
    }

    async fn run_part(&self, part: &[Step]) -> Result<u64, StoreError> {
        match part {
            [step] => self.run_step(step).await,
            several => {
                let inserting = async {
                    let statement = self.statement_together(several).await?;
                    let columns: Vec<_> = inserts(several).flat_map(columns).collect();
                    let params = as_params(&columns);
                    Ok(self.client.execute(&statement, &params).await?)
                };
                self.in_time(inserting).await
            }
        }
    }

    async fn statement_together(&self, part: &[Step]) -> Result<Statement, StoreError> {
        let key = Key::together(part);
        let key = key.ok_or_else(|| StoreError::Refused("a part without inserts".to_owned()))?;
        let text = || {
            let inserts: Vec<_> = inserts(part).map(|(insert, _)| insert).collect();
            together::text_of(&inserts)
        };
        self.statement(key, text).await
    }

    async fn prepare_step(&self, step: &Step) -> Result<(), StoreError> {
        match step {
            Step::Insert(insert, rows) => {
                check_rows(insert, rows)?;
                let preparing = self.statement(Key::of(insert), || text_of(insert));
                self.in_time(preparing).await.map(drop)
            }
            Step::Execute(sql, params) => {
                let preparing = self.statement(Key::Text(sql), || (*sql).to_owned());
                check_params(&self.in_time(preparing).await?, params)
            }
        }
    }

    async fn run_step(&self, step: &Step) -> Result<u64, StoreError> {
        match step {
            Step::Insert(insert, rows) => self.insert_many(insert, rows).await,
            Step::Execute(sql, params) => self.execute(sql, params).await,
        }
    }

    /// Gives the session up when an answer does not come.
    async fn in_time<T>(
        &self,
        answering: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let mut answering = pin!(tokio::time::timeout(self.answer_within, answering));
        let mut left = self.left();
        let answered = poll_fn(|context| {
            if let Poll::Ready(answered) = answering.as_mut().poll(context) {
                return Poll::Ready(answered.ok());
            }
            match &mut left {
                Some(left) => left.as_mut().poll(context).map(|()| None),
                None => Poll::Pending,
            }
        });
        answered.await.unwrap_or_else(|| {
            self.given_up.store(true, Ordering::Release);
            Err(no_answer())
        })
    }

    /// Waits until another host is the primary: what this one has not answered by then, it may
    /// never answer. Boxed, since it is part of everything that asks the database.
    fn left(&self) -> Option<BoxFuture<'static, ()>> {
        let (host, primary) = self.host.as_ref()?;
        let (host, mut primary) = (*host, primary.clone());
        Some(Box::pin(async move {
            if primary.wait_for(|now| *now != host).await.is_err() {
                // Nobody connects any more, so nobody can find another.
                pending().await
            }
        }))
    }

    /// Whether the connection is lost, or was given up.
    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
            || self.given_up.load(Ordering::Acquire)
            || (self.host.as_ref()).is_some_and(|(host, primary)| *primary.borrow() != *host)
    }

    async fn statement(
        &self,
        key: Key,
        text: impl FnOnce() -> String,
    ) -> Result<Statement, StoreError> {
        if let Some(statement) = self.statements.lock().get(&key) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(&text()).await?;
        self.statements.lock().insert(key, statement.clone());
        Ok(statement)
    }
}
