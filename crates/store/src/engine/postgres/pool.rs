//! Sessions that are lent: for reads, and for writes outside the log.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Connector, Role, Session};
use crate::{LocalWrite, Row, StoreError, engine::Step};

/// A node that freezes while it writes outside the log must not keep another from going on.
const BEGIN_WRITE: &str = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '2s'";

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
        lease.begin(BEGIN_WRITE).await?;
        let session = lease.session();
        if let Some((sql, params)) = &write.guard
            && session.query(sql, params).await?.is_empty()
        {
            return Err(StoreError::TakenOver);
        }
        let mut answers = Vec::with_capacity(write.steps.len());
        for step in &write.steps {
            answers.push(match step {
                Step::Execute(sql, params) => session.query(sql, params).await?,
                Step::Insert(_, rows) if rows.is_empty() => Vec::new(),
                Step::Insert(insert, rows) => {
                    session.insert_many(insert, rows).await?;
                    Vec::new()
                }
            });
        }
        session.batch("COMMIT").await?;
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
