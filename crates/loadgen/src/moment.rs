//! Real time: a bench measures nothing else.

use std::time::{Duration, Instant};

#[expect(
    clippy::disallowed_methods,
    reason = "a bench measures real time, and no test moves it"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a bench waits in real time, and no test moves it"
)]
pub(crate) async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}
