//! What holds for blobs wherever they are kept, over the public API; and what holds of each place.
#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod access;
mod contract;
mod folder;
mod outages;
mod place;

/// Runs each test body in both kinds of places.
#[macro_export]
macro_rules! conformance {
    ($($(#[$meta:meta])* async fn $name:ident($place:ident: Place) $body:block)*) => {
        $(
            mod $name {
                use super::*;

                $(#[$meta])*
                async fn body($place: Place) $body

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn folder() {
                    body(Place::folder().await).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn s3() {
                    body(Place::s3().await).await;
                }
            }
        )*
    };
}
