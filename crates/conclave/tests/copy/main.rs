//! A copy that is made while people write restores everything that was acknowledged before it,
//! on either engine, and nothing that is damaged, half done or somebody else's is restored.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of tests panics as a test does"
)]

#[path = "../support/acts.rs"]
mod acts;
#[path = "../crash/client.rs"]
mod client;
mod damage;
mod in_s3;
mod life;
#[expect(dead_code, reason = "the crash suite uses the rest")]
#[path = "../crash/load.rs"]
mod load;
mod places;
#[path = "../crash/refusals.rs"]
mod refusals;
mod refused;
#[expect(dead_code, reason = "the crash suite uses the rest")]
#[path = "../crash/scene.rs"]
mod scene;
mod story;
#[path = "../support/client.rs"]
mod support;
#[expect(dead_code, reason = "the crash suite uses the rest")]
#[path = "../crash/writers.rs"]
mod writers;

mod a_copy_made_while_people_write_restores_what_was_acknowledged {
    use testkit::server::Engine;

    use crate::story::is_restored;

    #[tokio::test(flavor = "multi_thread")]
    async fn sqlite_to_postgres() {
        is_restored(Engine::Sqlite, Engine::Postgres).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn postgres_to_sqlite() {
        is_restored(Engine::Postgres, Engine::Sqlite).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn sqlite_to_sqlite() {
        is_restored(Engine::Sqlite, Engine::Sqlite).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn postgres_to_postgres() {
        is_restored(Engine::Postgres, Engine::Postgres).await;
    }
}
