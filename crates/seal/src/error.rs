//! What can go wrong with sealed values and their keys.

use store::StoreError;

/// A failure to seal or open.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SealError {
    /// A value is too short, of an unknown version, or does not open where it stands.
    #[error("a sealed value of {table}.{column} does not open")]
    DoesNotOpen {
        /// The table that holds it.
        table: &'static str,
        /// The column that holds it.
        column: &'static str,
    },
    /// The data key that a value names is not there.
    #[error("the data key {0} is missing or destroyed")]
    NoSuchKey(i64),
    /// A scope's key was not prepared before sealing.
    #[error("no data key was prepared for the scope {0}")]
    NotPrepared(String),
    /// A chunk of a file does not open: damaged, cut short or out of order.
    #[error("a chunk of a file does not open")]
    FileDamaged,
    /// The master key cannot be used.
    #[error("{0}")]
    MasterKey(String),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<SealError> for StoreError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Store(error) => error,
            other => Self::Damaged(other.to_string()),
        }
    }
}
