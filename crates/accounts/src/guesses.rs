//! How often a password may be guessed, for one person from one network.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use model::time::Clock;
use moka::sync::Cache;
use parking_lot::Mutex;

/// How many wrong passwords in a row are answered at once.
const BURST: u32 = 10;

/// After this long one more is.
const REFILL: Duration = Duration::from_secs(30);

/// How many pairs of person and network are told apart.
const PAIRS: u64 = 100_000;

/// Counts wrong passwords.
pub(crate) struct Guesses {
    clock: Arc<dyn Clock>,
    enabled: bool,
    wrong: Cache<(String, Option<IpAddr>), Arc<Mutex<Bucket>>>,
}

struct Bucket {
    used: u32,
    since: Duration,
}

impl Guesses {
    pub(crate) fn new(clock: Arc<dyn Clock>, enabled: bool) -> Self {
        Self {
            clock,
            enabled,
            wrong: Cache::new(PAIRS),
        }
    }

    /// Whether another password may be tried now; else how long to wait.
    pub(crate) fn check(&self, name: &str, address: Option<IpAddr>) -> Result<(), Duration> {
        if !self.enabled {
            return Ok(());
        }
        let Some(bucket) = self.wrong.get(&key(name, address)) else {
            return Ok(());
        };
        let mut bucket = bucket.lock();
        let now = self.clock.uptime();
        bucket.give_back(now);
        if bucket.used < BURST {
            return Ok(());
        }
        Err((bucket.since + REFILL).saturating_sub(now))
    }

    /// A password was wrong.
    pub(crate) fn wrong(&self, name: &str, address: Option<IpAddr>) {
        if !self.enabled {
            return;
        }
        let now = self.clock.uptime();
        let bucket = self.wrong.get_with(key(name, address), || {
            Arc::new(Mutex::new(Bucket {
                used: 0,
                since: now,
            }))
        });
        let mut bucket = bucket.lock();
        bucket.give_back(now);
        bucket.used = bucket.used.saturating_add(1);
    }

    /// A password was right.
    pub(crate) fn right(&self, name: &str, address: Option<IpAddr>) {
        self.wrong.invalidate(&key(name, address));
    }
}

impl Bucket {
    fn give_back(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.since);
        let back = u32::try_from(passed.as_millis() / REFILL.as_millis()).unwrap_or(u32::MAX);
        if back >= self.used {
            self.used = 0;
            self.since = now;
        } else {
            self.used -= back;
            self.since += REFILL * back;
        }
    }
}

/// In IPv6 a guesser has all addresses of a /64.
fn key(name: &str, address: Option<IpAddr>) -> (String, Option<IpAddr>) {
    let network = address.map(|address| match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)))
        }
    });
    (name.to_owned(), network)
}

#[cfg(test)]
mod tests {
    use testkit::clock::FakeClock;

    use super::*;

    #[test]
    fn a_guesser_waits_after_ten_and_others_do_not() {
        let clock = FakeClock::default();
        let guesses = Guesses::new(Arc::new(clock.clone()), true);
        let address = "192.0.2.1".parse().ok();
        for _ in 0..BURST {
            guesses.check("@a:x", address).unwrap();
            guesses.wrong("@a:x", address);
        }
        assert_eq!(guesses.check("@a:x", address), Err(REFILL));
        assert_eq!(guesses.check("@a:x", "192.0.2.2".parse().ok()), Ok(()));
        assert_eq!(guesses.check("@b:x", address), Ok(()));
        clock.advance(REFILL);
        assert_eq!(guesses.check("@a:x", address), Ok(()));
        guesses.wrong("@a:x", address);
        assert!(guesses.check("@a:x", address).is_err());
    }

    #[test]
    fn a_right_password_clears_the_count() {
        let guesses = Guesses::new(Arc::new(FakeClock::default()), true);
        for _ in 0..BURST {
            guesses.wrong("@a:x", None);
        }
        guesses.right("@a:x", None);
        assert_eq!(guesses.check("@a:x", None), Ok(()));
    }
}
