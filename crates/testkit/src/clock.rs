//! A clock that stands still until a test moves it.

use std::{sync::Arc, time::Duration};

use model::time::{Clock, Sleep, Timestamp};
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// A [`Clock`] moved by hand; clones are the same clock.
#[derive(Clone, Debug)]
pub struct FakeClock {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    now: Timestamp,
    uptime: Duration,
    sleepers: Vec<Sleeper>,
}

#[derive(Debug)]
struct Sleeper {
    wakes_at: Duration,
    wake: oneshot::Sender<()>,
}

impl FakeClock {
    /// Makes a clock that shows `now`.
    pub fn at(now: Timestamp) -> Self {
        Self {
            inner: Arc::new(Mutex::new(Inner {
                now,
                uptime: Duration::ZERO,
                sleepers: Vec::new(),
            })),
        }
    }

    /// Lets `duration` pass and wakes who slept no longer than that, in the order of their waking.
    ///
    /// They run when the test next awaits: use `eventually` for what they then do.
    pub fn advance(&self, duration: Duration) {
        let mut due = {
            let mut inner = self.inner.lock();
            inner.now = inner.now.plus(duration);
            inner.uptime = inner.uptime.saturating_add(duration);
            let uptime = inner.uptime;
            inner
                .sleepers
                .extract_if(.., |sleeper| sleeper.wakes_at <= uptime)
                .collect::<Vec<_>>()
        };
        due.sort_by_key(|sleeper| sleeper.wakes_at);
        for sleeper in due {
            // Who slept may have given up.
            let _ = sleeper.wake.send(());
        }
    }

    /// Sets the time of day, forwards or back, as an operator or NTP does; nobody wakes from it.
    pub fn set(&self, now: Timestamp) {
        self.inner.lock().now = now;
    }

    /// Counts who sleeps now: wait for it before `advance`, or the sleeper misses the move.
    pub fn sleepers(&self) -> usize {
        let mut inner = self.inner.lock();
        inner.sleepers.retain(|sleeper| !sleeper.wake.is_closed());
        inner.sleepers.len()
    }
}

impl Default for FakeClock {
    /// A clock that shows a moment in November 2023.
    fn default() -> Self {
        Self::at(Timestamp::from_millis(1_700_000_000_000))
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        self.inner.lock().now
    }

    fn uptime(&self) -> Duration {
        self.inner.lock().uptime
    }

    /// Counts from the call, not from the first poll, so that a move between the two is not lost.
    fn sleep(&self, duration: Duration) -> Sleep {
        let (wake, woken) = oneshot::channel();
        let mut inner = self.inner.lock();
        if duration.is_zero() {
            return Box::pin(std::future::ready(()));
        }
        let wakes_at = inner.uptime.saturating_add(duration);
        inner.sleepers.push(Sleeper { wakes_at, wake });
        let clock = Arc::clone(&self.inner);
        Box::pin(async move {
            let _ = woken.await;
            // The sleep keeps its clock: a dropped clock must not look like time that passed.
            drop(clock);
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    async fn is_over(sleep: &mut Sleep) -> bool {
        tokio::select! {
            biased;
            () = sleep => true,
            () = std::future::ready(()) => false,
        }
    }

    #[tokio::test]
    async fn a_sleep_ends_when_its_time_has_passed_and_not_before() {
        let clock = FakeClock::default();
        let mut sleep = clock.sleep(2 * SECOND);
        assert!(!is_over(&mut sleep).await);
        clock.advance(SECOND);
        assert!(!is_over(&mut sleep).await);
        clock.advance(SECOND);
        assert!(is_over(&mut sleep).await);
    }

    #[tokio::test]
    async fn a_sleep_counts_from_its_call() {
        let clock = FakeClock::default();
        let mut sleep = clock.sleep(SECOND);
        clock.advance(SECOND);
        assert!(is_over(&mut sleep).await);
        assert!(is_over(&mut clock.sleep(Duration::ZERO)).await);
    }

    #[tokio::test]
    async fn advancing_moves_both_readings_and_setting_only_the_day() {
        let clock = FakeClock::at(Timestamp::from_millis(5_000));
        let mut sleep = clock.sleep(SECOND);
        clock.advance(SECOND / 2);
        assert_eq!(clock.now(), Timestamp::from_millis(5_500));
        clock.set(Timestamp::from_millis(90_000));
        assert_eq!(clock.now(), Timestamp::from_millis(90_000));
        assert_eq!(clock.uptime(), SECOND / 2);
        assert!(!is_over(&mut sleep).await);
    }

    #[tokio::test]
    async fn a_dropped_sleep_is_not_counted() {
        let clock = FakeClock::default();
        let kept = clock.sleep(SECOND);
        drop(clock.sleep(SECOND));
        assert_eq!(clock.sleepers(), 1);
        drop(kept);
        assert_eq!(clock.sleepers(), 0);
    }

    #[tokio::test]
    async fn a_sleep_outlives_its_clock_without_ending() {
        let mut sleep = FakeClock::default().sleep(SECOND);
        assert!(!is_over(&mut sleep).await);
    }
}
