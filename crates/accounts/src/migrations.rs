//! This crate's tables.

use store::{Migration, Migrations};

/// The schema of accounts, sessions and what people keep here.
pub const MIGRATIONS: Migrations = Migrations {
    owner: "accounts",
    steps: &[Migration {
        number: 1,
        name: "accounts",
        sql: include_str!("../migrations/0001_accounts.sql"),
    }],
};
