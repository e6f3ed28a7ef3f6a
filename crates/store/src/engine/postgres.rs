//! PostgreSQL: sessions with prepared statements, one for the committer, a pool for reads.

use std::{
    collections::HashMap,
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::BytesMut;
use futures_util::stream::poll_fn;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::{
    AsyncMessage, Client, Config, NoTls, Statement,
    types::{IsNull, ToSql, Type},
};

use super::{Insert, LocalWrite};
use crate::{ColumnType, Row, StoreError, Value};

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

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Committer,
    Reader,
}

/// How to reach the writable primary.
#[derive(Clone)]
pub(crate) struct Connector {
    config: Config,
}

impl Connector {
    pub(crate) fn new(url: &str) -> Result<Self, StoreError> {
        let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            StoreError::Refused(format!("database.url is not a PostgreSQL URL: {error}"))
        })?;
        if config.get_ssl_mode() == tokio_postgres::config::SslMode::Require {
            return Err(StoreError::Refused(
                "database.url asks for TLS (sslmode=require), which this release does not speak: \
                 use a local socket, loopback or an encrypted network and sslmode=disable"
                    .to_owned(),
            ));
        }
        config
            .application_name("conclave")
            .connect_timeout(Duration::from_secs(5))
            .tcp_user_timeout(Duration::from_secs(10))
            .keepalives(true)
            .keepalives_idle(Duration::from_secs(5))
            .keepalives_interval(Duration::from_secs(2))
            .keepalives_retries(3)
            .target_session_attrs(tokio_postgres::config::TargetSessionAttrs::ReadWrite);
        Ok(Self { config })
    }

    pub(crate) async fn connect(&self, role: Role) -> Result<Session, StoreError> {
        let (client, mut connection) = self.config.connect(NoTls).await?;
        let warned = Arc::new(AtomicBool::new(false));
        let heard = Arc::clone(&warned);
        tokio::spawn(async move {
            let mut messages = poll_fn(move |context| connection.poll_message(context));
            while let Some(message) = futures_util::StreamExt::next(&mut messages).await {
                match message {
                    Ok(AsyncMessage::Notice(notice)) if notice.severity() == "WARNING" => {
                        tracing::warn!(code = notice.code().code(), "PostgreSQL warned");
                        heard.store(true, Ordering::Release);
                    }
                    Ok(_) => {}
                    Err(_) => break,
                }
            }
        });
        let session = Session {
            client,
            warned,
            statements: Mutex::default(),
        };
        session.prepare_session(role).await?;
        Ok(session)
    }
}

/// A connection and what was prepared on it.
pub(crate) struct Session {
    client: Client,
    warned: Arc<AtomicBool>,
    statements: Mutex<HashMap<Key, Statement>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Text(&'static str),
    Insert(usize),
}

impl Session {
    async fn prepare_session(&self, role: Role) -> Result<(), StoreError> {
        match role {
            Role::Committer => self.batch(COMMITTER_SETTINGS).await?,
            Role::Reader => self.batch(READER_SETTINGS).await?,
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
        let statement = self.statement(Key::Text(sql), || sql.to_owned()).await?;
        check_params(&statement, params)?;
        let rows = self.client.query(&statement, &by_reference(params)).await?;
        rows.iter().map(from_postgres).collect()
    }

    pub(crate) async fn execute(
        &self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<u64, StoreError> {
        let statement = self.statement(Key::Text(sql), || sql.to_owned()).await?;
        check_params(&statement, params)?;
        Ok(self
            .client
            .execute(&statement, &by_reference(params))
            .await?)
    }

    pub(crate) async fn insert_many(
        &self,
        insert: &'static Insert,
        rows: &[Vec<Value>],
    ) -> Result<u64, StoreError> {
        let key = Key::Insert(std::ptr::from_ref(insert).addr());
        let statement = self.statement(key, || text_of(insert)).await?;
        check_rows(insert, rows)?;
        let columns: Vec<_> = (0..insert.columns.len())
            .map(|index| Column { rows, index })
            .collect();
        let params: Vec<_> = columns
            .iter()
            .map(|column| column as &(dyn ToSql + Sync))
            .collect();
        Ok(self.client.execute(&statement, &params).await?)
    }

    /// Runs statements that take no parameters.
    pub(crate) async fn batch(&self, sql: &str) -> Result<(), StoreError> {
        Ok(self.client.batch_execute(sql).await?)
    }

    /// Commits; a warning leaves the outcome unknown, because a wait for a standby was cut short.
    pub(crate) async fn commit(&self) -> Result<(), StoreError> {
        self.warned.store(false, Ordering::Release);
        self.batch("COMMIT").await?;
        if self.warned.load(Ordering::Acquire) {
            return Err(StoreError::Unavailable(
                "PostgreSQL warned at COMMIT".to_owned(),
            ));
        }
        Ok(())
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
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

fn text_of(insert: &Insert) -> String {
    let names: Vec<_> = insert.columns.iter().map(|(name, _)| *name).collect();
    let arrays: Vec<_> = insert
        .columns
        .iter()
        .enumerate()
        .map(|(index, (_, kind))| format!("${}::{}[]", index + 1, type_name(*kind)))
        .collect();
    let Insert {
        table, on_conflict, ..
    } = insert;
    let (names, arrays) = (names.join(", "), arrays.join(", "));
    format!("INSERT INTO {table} ({names}) SELECT * FROM UNNEST({arrays}) {on_conflict}")
}

fn type_name(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Int => "BIGINT",
        ColumnType::Text => "TEXT",
        ColumnType::Bytes => "BYTEA",
    }
}

fn by_reference(params: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    params
        .iter()
        .map(|value| value as &(dyn ToSql + Sync))
        .collect()
}

fn from_postgres(row: &tokio_postgres::Row) -> Result<Row, StoreError> {
    let values = row.columns().iter().enumerate().map(|(index, column)| {
        Ok(match *column.type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(index)?.into(),
            Type::INT4 => row.try_get::<_, Option<i32>>(index)?.map(i64::from).into(),
            Type::BOOL => row.try_get::<_, Option<bool>>(index)?.into(),
            Type::TEXT | Type::VARCHAR | Type::NAME => {
                row.try_get::<_, Option<String>>(index)?.into()
            }
            Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(index)?.into(),
            _ => {
                return Err(StoreError::Column {
                    index,
                    expected: "of a portable type",
                });
            }
        })
    });
    Ok(Row(values.collect::<Result<_, StoreError>>()?))
}

type Encoded = Result<IsNull, Box<dyn Error + Sync + Send>>;

impl ToSql for Value {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Encoded {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(value) if *kind == Type::INT4 => i32::try_from(*value)?.to_sql(kind, out),
            Self::Int(value) => value.to_sql(kind, out),
            Self::Text(value) => value.to_sql(kind, out),
            Self::Bytes(value) => value.to_sql(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        // The type that the server inferred is only known per value; see `fits`.
        true
    }

    fn to_sql_checked(&self, kind: &Type, out: &mut BytesMut) -> Encoded {
        self.to_sql(kind, out)
    }
}

/// Refuses values that do not fit before anything is sent: the client library's own refusal
/// could not be told from a lost connection.
fn check_params(statement: &Statement, params: &[Value]) -> Result<(), StoreError> {
    let kinds = statement.params();
    if kinds.len() != params.len() {
        return Err(StoreError::Refused(format!(
            "a statement takes {} parameters and was given {}",
            kinds.len(),
            params.len()
        )));
    }
    for (index, (value, kind)) in params.iter().zip(kinds).enumerate() {
        let in_range = *kind != Type::INT4
            || !matches!(value, Value::Int(value) if i32::try_from(*value).is_err());
        if !fits(value, kind) || !in_range {
            let sentence = format!("parameter {} is not of type {kind}", index + 1);
            return Err(StoreError::Refused(sentence));
        }
    }
    Ok(())
}

/// The same, for the rows of an insert.
fn check_rows(insert: &Insert, rows: &[Vec<Value>]) -> Result<(), StoreError> {
    let row_fits = |row: &Vec<Value>| {
        row.len() == insert.columns.len()
            && row.iter().zip(insert.columns).all(|(value, (_, kind))| {
                matches!(
                    (value, kind),
                    (Value::Null, _)
                        | (Value::Int(_), ColumnType::Int)
                        | (Value::Text(_), ColumnType::Text)
                        | (Value::Bytes(_), ColumnType::Bytes)
                )
            })
    };
    if rows.iter().all(row_fits) {
        return Ok(());
    }
    let sentence = format!("a row does not fit the columns of {}", insert.table);
    Err(StoreError::Refused(sentence))
}

fn fits(value: &Value, kind: &Type) -> bool {
    match value {
        Value::Null => true,
        Value::Int(_) => matches!(*kind, Type::INT8 | Type::INT4),
        Value::Text(_) => matches!(*kind, Type::TEXT | Type::VARCHAR | Type::NAME),
        Value::Bytes(_) => *kind == Type::BYTEA,
    }
}

/// One column of many rows, as an array.
#[derive(Debug)]
struct Column<'a> {
    rows: &'a [Vec<Value>],
    index: usize,
}

impl ToSql for Column<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Encoded {
        let values: Vec<&Value> = self.rows.iter().map(|row| &row[self.index]).collect();
        values.to_sql(kind, out)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(&self, kind: &Type, out: &mut BytesMut) -> Encoded {
        self.to_sql(kind, out)
    }
}

/// Sessions for reads and for writes outside the log.
pub(crate) struct Pool {
    connector: Connector,
    idle: Mutex<Vec<Session>>,
    permits: Arc<Semaphore>,
}

impl Pool {
    pub(crate) fn new(connector: Connector, size: usize) -> Arc<Self> {
        Arc::new(Self {
            connector,
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(size)),
        })
    }

    /// Lends a session; waits a bounded time for one.
    pub(crate) async fn lease(self: &Arc<Self>) -> Result<Lease, StoreError> {
        let wait = tokio::time::timeout(
            Duration::from_secs(10),
            Arc::clone(&self.permits).acquire_owned(),
        );
        let permit = wait
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or_else(|| StoreError::Unavailable("every connection is busy".to_owned()))?;
        let session = loop {
            let idle = self.idle.lock().pop();
            match idle {
                Some(session) if session.is_closed() => {}
                Some(session) => break session,
                None => break self.connector.connect(Role::Reader).await?,
            }
        };
        let pool = Arc::clone(self);
        Ok(Lease {
            session: Some(session),
            pool,
            in_transaction: false,
            permit: Some(permit),
        })
    }

    /// Runs statements in one transaction of their own.
    pub(crate) async fn local_write(
        self: &Arc<Self>,
        write: &LocalWrite,
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        let mut lease = self.lease().await?;
        lease.begin("BEGIN").await?;
        let mut answers = Vec::with_capacity(write.statements.len());
        for (sql, params) in &write.statements {
            answers.push(lease.session().query(sql, params).await?);
        }
        lease.session().batch("COMMIT").await?;
        lease.in_transaction = false;
        Ok(answers)
    }
}

/// A session that one snapshot has to itself.
pub(crate) struct Lease {
    session: Option<Session>,
    pool: Arc<Pool>,
    in_transaction: bool,
    permit: Option<OwnedSemaphorePermit>,
}

impl Lease {
    pub(crate) fn session(&self) -> &Session {
        self.session
            .as_ref()
            .expect("a lease has its session until it is dropped")
    }

    pub(crate) async fn begin(&mut self, sql: &str) -> Result<(), StoreError> {
        self.in_transaction = true;
        self.session().batch(sql).await
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(session) = self.session.take() else {
            return;
        };
        if session.is_closed() {
            return;
        }
        let permit = self.permit.take();
        if !self.in_transaction {
            self.pool.idle.lock().push(session);
            return;
        }
        // The transaction ends before the session is lent again. Without a runtime the
        // session is closed instead, which ends it too.
        let pool = Arc::clone(&self.pool);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if session.batch("ROLLBACK").await.is_ok() {
                    pool.idle.lock().push(session);
                }
                drop(permit);
            });
        }
    }
}
