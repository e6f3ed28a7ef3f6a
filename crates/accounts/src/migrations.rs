//! This crate's tables.

use store::{Migration, Migrations};

/// The schema of accounts, sessions and what people keep here.
pub const MIGRATIONS: Migrations = Migrations {
    owner: "accounts",
    steps: &[
        Migration {
            number: 1,
            name: "accounts",
            sql: include_str!("../migrations/0001_accounts.sql"),
        },
        Migration {
            number: 2,
            name: "standing_and_openid",
            sql: include_str!("../migrations/0002_standing_and_openid.sql"),
        },
        Migration {
            number: 3,
            name: "kinds_of_accounts",
            sql: include_str!("../migrations/0003_kinds_of_accounts.sql"),
        },
        Migration {
            number: 4,
            name: "emails",
            sql: include_str!("../migrations/0004_emails.sql"),
        },
        Migration {
            number: 5,
            name: "email_invites",
            sql: include_str!("../migrations/0005_email_invites.sql"),
        },
    ],
};

/// The tables whose rows no copy holds: what is good once and for minutes would be good again.
pub const FLEETING_TABLES: &[&str] = &[
    "login_tokens",
    "openid_tokens",
    "setup_links",
    "email_sessions",
    "account_mails",
];
