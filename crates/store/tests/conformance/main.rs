//! What the log and its database promise, on SQLite and on PostgreSQL alike.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "the races use the rest")]
#[path = "../support/mod.rs"]
mod support;

/// Runs each test body on both engines.
macro_rules! conformance {
    ($($(#[$meta:meta])* async fn $name:ident($db:ident: Db) $body:block)*) => {
        $(
            mod $name {
                use super::*;

                $(#[$meta])*
                async fn body($db: Db) $body

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn sqlite() {
                    body(Db::sqlite()).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn postgres() {
                    body(Db::postgres().await).await;
                }
            }
        )*
    };
}

mod batches;
mod examination;
mod failures;
mod following;
mod leases;
mod local;
mod names;
mod opening;
mod reading;
