//! [`Search`]: what others ask of this crate.

use std::sync::Arc;

use accounts::Accounts;
use rooms::Rooms;
use seal::Keyring;
use store::{Log, Migration, Migrations};
use tokio::sync::Semaphore;

/// The tables of the index.
pub const MIGRATIONS: Migrations = Migrations {
    owner: "search",
    steps: &[Migration {
        number: 1,
        name: "index",
        sql: include_str!("../migrations/0001_index.sql"),
    }],
};

/// How many searches a node does at once. Others wait: readers of the database are left to those
/// who open rooms.
const AT_ONCE: usize = 3;

/// Finds messages, and keeps the index by which they are found. Cheap to clone.
#[derive(Clone)]
pub struct Search {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) log: Log,
    pub(crate) keyring: Keyring,
    pub(crate) accounts: Accounts,
    pub(crate) rooms: Rooms,
    pub(crate) turns: Arc<Semaphore>,
}

impl Search {
    /// Puts it together over what it reads.
    pub fn new(log: Log, keyring: Keyring, accounts: Accounts, rooms: Rooms) -> Self {
        Self {
            inner: Arc::new(Inner {
                log,
                keyring,
                accounts,
                rooms,
                turns: Arc::new(Semaphore::new(AT_ONCE)),
            }),
        }
    }
}
