//! Moving an embedded deployment to PostgreSQL, with its whole history and in the same epoch.

mod decisions;
mod files;
mod origin;
mod rows;

use audit::{AuditTrail, Record};
use store::StoreError;
use store::{Arrival, Arrivals, Begun, CommitError, DatabaseOptions, Intent, Log, Moving, Pos};

pub use decisions::{DECISIONS, Goes};
pub use files::FilesMoved;
pub use origin::Origin;
pub use rows::RowsMoved;

use crate::CopyError;

/// Tells a person how far a move is; called often.
pub type Watch<'a> = &'a (dyn Fn(Progress<'_>) + Send + Sync);

/// How far a move is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<'a> {
    /// Something begins, and there is so much of it.
    Begins {
        /// What is done.
        what: &'static str,
        /// How many rows, indexes or files that are.
        total: u64,
    },
    /// Some more is done.
    Goes {
        /// Of what, such as a table.
        name: &'a str,
        /// How many rows, indexes or files.
        count: u64,
        /// How much of what was stored that is.
        size_bytes: u64,
    },
    /// All of one thing is done.
    Done {
        /// What, such as a table.
        name: &'a str,
        /// How many rows or files that were, in this run.
        count: u64,
        /// How much of what was stored that was.
        size_bytes: u64,
    },
    /// What was begun is done.
    Ends,
}

/// A deployment on its way.
pub struct Move<'a> {
    origin: &'a Origin,
    moving: Moving,
    watch: Watch<'a>,
}

impl<'a> Move<'a> {
    /// Begins in an empty database, or goes on where an earlier run was interrupted. With `again`
    /// what an earlier run has left is removed first.
    pub async fn begin(
        origin: &'a Origin,
        options: &DatabaseOptions,
        again: bool,
        watch: Watch<'a>,
    ) -> Result<(Self, Begun), CopyError> {
        let begun = Moving::begin(options, &origin.schema, &origin.state, again);
        let (moving, begun) = begun.await?;
        let there = moving.tables().await?;
        if there != origin.tables {
            let differs = |table: &&store::Table| !there.contains(table);
            let table = origin.tables.iter().find(differs);
            let table = table.map_or("", |table| &table.name);
            return Err(CopyError::Refused(format!(
                "the schema of this database is not the one that this program makes (table \
                 {table}): nothing was moved"
            )));
        }
        let begun_move = Self {
            origin,
            moving,
            watch,
        };
        Ok((begun_move, begun))
    }
}

/// Finishes a move: the last transaction, after which the new place may be served. It records the
/// move, and takes the mark away that kept everybody out.
pub async fn arrive(log: &Log, record: Record) -> Result<Pos, StoreError> {
    let mut intent = Intent::new();
    intent.add::<AuditTrail>(record);
    intent.add::<Arrivals>(Arrival);
    let committed = log.commit(intent).await;
    let committed = committed.map_err(CommitError::into_store)?;
    Ok(committed.last_pos())
}
