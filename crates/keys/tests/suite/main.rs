//! What the owner promises, on both engines.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod backups;
mod bench;
mod cross_signing;
mod devices;
mod malformed;
mod people;
mod prekeys;
mod races;
mod to_device;

/// Writes a test once and runs it on each engine.
macro_rules! conformance {
    ($(#[doc = $doc:literal] async fn $name:ident($bench:ident: Bench) $body:block)*) => {
        $(mod $name {
            use super::*;

            async fn on_one_engine($bench: crate::bench::Bench) $body

            #[tokio::test]
            async fn sqlite() {
                on_one_engine(crate::bench::Bench::sqlite().await).await;
            }

            #[tokio::test]
            async fn postgres() {
                on_one_engine(crate::bench::Bench::postgres().await).await;
            }
        })*
    };
}

pub(crate) use conformance;
