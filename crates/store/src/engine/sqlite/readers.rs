//! Reader threads, each with a connection of its own.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{Connection, Piece, spawn};
use crate::{Row, StoreError, Value};

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// Reader threads, each with a connection, lent to one snapshot at a time; each is started when
/// all others are lent.
pub(crate) struct Readers {
    path: PathBuf,
    started: AtomicUsize,
    idle: Mutex<Vec<mpsc::Sender<Job>>>,
    permits: Arc<tokio::sync::Semaphore>,
}

impl Readers {
    /// At most `count` of them.
    pub(crate) fn new(path: &Path, count: usize) -> Arc<Self> {
        Arc::new(Self {
            path: path.to_owned(),
            started: AtomicUsize::new(0),
            idle: Mutex::new(Vec::new()),
            permits: Arc::new(tokio::sync::Semaphore::new(count)),
        })
    }

    fn start_one(&self) -> Result<mpsc::Sender<Job>, StoreError> {
        let connection = Connection::open_reader(&self.path)?;
        let (jobs, queue) = mpsc::channel::<Job>();
        let index = self.started.fetch_add(1, Ordering::Relaxed);
        spawn(format!("reader-{index}"), move || {
            while let Ok(job) = queue.recv() {
                job(&connection);
            }
        })?;
        Ok(jobs)
    }

    /// Waits for a free thread.
    pub(crate) async fn lease(self: &Arc<Self>) -> Result<ReaderLease, StoreError> {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| stopped())?;
        let idle = self.idle.lock().pop();
        let jobs = idle.map_or_else(|| self.start_one(), Ok)?;
        Ok(ReaderLease {
            jobs,
            readers: Arc::clone(self),
            permit: Some(permit),
        })
    }
}

/// A reader thread that one snapshot has to itself.
pub(crate) struct ReaderLease {
    jobs: mpsc::Sender<Job>,
    readers: Arc<Readers>,
    permit: Option<tokio::sync::OwnedSemaphorePermit>,
}

impl ReaderLease {
    pub(crate) async fn query(
        &self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<Vec<Row>, StoreError> {
        let params = params.to_vec();
        self.run(move |connection| connection.query(sql, &params))
            .await
    }

    /// Begins a read transaction, so that all queries see one moment.
    pub(crate) async fn begin(&self) -> Result<(), StoreError> {
        self.run(|connection| connection.batch("BEGIN")).await
    }

    /// Reads all rows of a query; this thread does nothing else meanwhile.
    pub(crate) fn scan(
        &self,
        sql: String,
    ) -> Result<tokio::sync::mpsc::Receiver<Piece>, StoreError> {
        let (sender, pieces) = tokio::sync::mpsc::channel(1);
        let job: Job = Box::new(move |connection| connection.scan(&sql, &sender));
        self.jobs.send(job).map_err(|_| stopped())?;
        Ok(pieces)
    }

    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| drop(answer.send(job(connection))));
        self.jobs.send(job).map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }
}

impl Drop for ReaderLease {
    fn drop(&mut self) {
        // The thread is lent again only after the transaction has ended.
        let (jobs, readers) = (self.jobs.clone(), Arc::clone(&self.readers));
        let permit = self.permit.take();
        let job: Job = Box::new(move |connection| {
            if connection.in_transaction()
                && let Err(error) = connection.batch("ROLLBACK")
            {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a read did not end"
                );
            }
            readers.idle.lock().push(jobs);
            drop(permit);
        });
        drop(self.jobs.send(job));
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the reader threads have stopped".to_owned())
}
