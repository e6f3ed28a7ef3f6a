//! What can go wrong below an owner: the engine, the connection, the schema.

use std::sync::Arc;

/// A failure of the storage engine. Cheap to clone: one failure may answer many callers.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite refused a statement or its file.
    #[error("SQLite failed")]
    Sqlite(#[source] Arc<rusqlite::Error>),
    /// PostgreSQL refused a statement, or the connection was lost.
    #[error("PostgreSQL failed")]
    Postgres(#[source] Arc<tokio_postgres::Error>),
    /// A column held another type than the code expects.
    #[error("column {index} is not {expected}")]
    Column {
        /// The column's place in the row, from zero.
        index: usize,
        /// The type the code asked for.
        expected: &'static str,
    },
    /// The database does not answer, or this node cannot confirm the head of the log.
    #[error("the database does not answer: {0}")]
    Unavailable(String),
    /// The work for which this was written is another node's now; nothing was written.
    #[error("another node has taken this work over")]
    TakenOver,
    /// The database cannot be used by this program as it is.
    #[error("{0}")]
    Refused(String),
    /// Stored bytes could not be understood.
    #[error("stored data is damaged: {0}")]
    Damaged(String),
}

impl StoreError {
    /// Whether the connection is gone, so that the transaction it held is too.
    pub(crate) fn is_disconnect(&self) -> bool {
        match self {
            Self::Postgres(error) => {
                error.is_closed()
                    || error.code().is_some_and(|code| {
                        // 57P01–57P05: shut down, crashed, cannot connect now, idle time-outs;
                        // 08: connection; 25P03: idle in transaction; 25006: read-only, a former
                        // primary that must be left for the new one.
                        code.code().starts_with("57P")
                            || code.code().starts_with("08")
                            || matches!(code.code(), "25P03" | "25006")
                    })
                    || error.as_db_error().is_none()
            }
            Self::Unavailable(_) => true,
            _ => false,
        }
    }

    /// Whether transactions stood in each other's way: the same one may succeed when it is tried
    /// again.
    pub(crate) fn is_conflict(&self) -> bool {
        match self {
            // Serialisation failure, deadlock.
            Self::Postgres(_) => self.has_code(&["40001", "40P01"]),
            Self::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked)
            ),
            _ => false,
        }
    }

    /// Whether a statement took, or waited, longer than this node lets it.
    pub(crate) fn is_timeout(&self) -> bool {
        // Lock not available, query cancelled.
        self.has_code(&["55P03", "57014"])
    }

    /// Whether PostgreSQL refused with one of these codes.
    pub(crate) fn has_code(&self, codes: &[&str]) -> bool {
        match self {
            Self::Postgres(error) => error
                .code()
                .is_some_and(|code| codes.contains(&code.code())),
            _ => false,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(Arc::new(error))
    }
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(Arc::new(error))
    }
}
