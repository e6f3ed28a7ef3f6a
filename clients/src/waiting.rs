//! Waiting for what another program is about to do, for a bounded time.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::time::{interval, timeout};

/// How long anything may take. Long polls are asked to last longer, so that a server that does
/// not wake them fails the test instead of slowing it down.
pub const PATIENCE: Duration = Duration::from_secs(60);

const PAUSE: Duration = Duration::from_millis(50);

/// Asks again and again until `probe` finds something.
///
/// # Errors
///
/// What `probe` returns as an error, and that nothing was found in time; `what` completes the
/// sentence "waited in vain until …".
pub async fn eventually<T>(
    what: &str,
    mut probe: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let search = async {
        let mut ticks = interval(PAUSE);
        loop {
            ticks.tick().await;
            if let Some(found) = probe().await? {
                return anyhow::Ok(found);
            }
        }
    };
    timeout(PATIENCE, search)
        .await
        .with_context(|| format!("waited {PATIENCE:?} in vain until {what}"))?
        .with_context(|| format!("while waiting until {what}"))
}
