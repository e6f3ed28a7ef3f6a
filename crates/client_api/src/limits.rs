//! Rate limits: a bucket for each client address or user, in each class of endpoint.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::Clock as GovernorClock,
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{StateStore, keyed::ShrinkableKeyedStateStore},
};
use model::time::Clock;
use parking_lot::Mutex;

use crate::{error::ApiError, metrics};

/// The most buckets of one class that are kept; about 5 MiB in all when every class is full.
const MAX_BUCKETS: usize = 16_384;

/// How often buckets that have filled up again are forgotten.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// A class of endpoints that share a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Everything that has no class of its own.
    Default,
    /// Signing in, and each try of a password.
    Login,
    /// Making an account, and asking whether a name is free.
    Register,
    /// Sending events.
    Send,
    /// Uploading files.
    Upload,
    /// Inviting people.
    Invite,
    /// Claiming one-time keys.
    KeyClaim,
    /// Reporting rooms, events and people.
    Report,
    /// Having the server look behind a link.
    Preview,
    /// Searching for messages.
    Search,
}

impl Class {
    const ALL: [Self; 10] = [
        Self::Default,
        Self::Login,
        Self::Register,
        Self::Send,
        Self::Upload,
        Self::Invite,
        Self::KeyClaim,
        Self::Report,
        Self::Preview,
        Self::Search,
    ];

    /// The name of this class in metrics and in the inventory.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Login => "login",
            Self::Register => "register",
            Self::Send => "send",
            Self::Upload => "upload",
            Self::Invite => "invite",
            Self::KeyClaim => "key_claim",
            Self::Report => "report",
            Self::Preview => "preview",
            Self::Search => "search",
        }
    }

    /// How many at once, and how many each second after that.
    ///
    /// An office signs in from one address on Monday morning: guessing one person's password is
    /// the concern of the account, not of the address.
    const fn burst_and_rate(self) -> (u32, u32) {
        match self {
            Self::Default => (300, 100),
            Self::Login => (30, 1),
            Self::Register => (20, 1),
            Self::Send => (60, 10),
            Self::Upload => (50, 5),
            Self::Invite => (30, 1),
            Self::KeyClaim => (100, 10),
            Self::Report => (20, 1),
            // Who opens a room sees many links at once.
            Self::Preview => (60, 2),
            // As somebody types.
            Self::Search => (60, 5),
        }
    }

    fn quota(self) -> Quota {
        let (burst, rate) = self.burst_and_rate();
        let whole = |count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        Quota::per_second(whole(rate)).allow_burst(whole(burst))
    }
}

/// Whose bucket a request is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A client address; in IPv6 the /64 network, of which a client has all addresses.
    Address(IpAddr),
    /// A signed-in user, by interned id.
    User(i64),
}

impl Subject {
    /// The bucket of a client address.
    pub fn address(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Address(address),
            IpAddr::V6(address) => {
                let network = address.to_bits() & (u128::MAX << 64);
                Self::Address(IpAddr::V6(Ipv6Addr::from_bits(network)))
            }
        }
    }
}

/// All rate limits of this face; switched off, it refuses nobody.
pub struct RateLimits {
    classes: Option<[ClassLimit; Class::ALL.len()]>,
}

impl RateLimits {
    /// Makes the limits, or none when the operator has switched them off.
    pub fn new(enabled: bool, clock: &Arc<dyn Clock>) -> Self {
        Self {
            classes: enabled.then(|| Class::ALL.map(|class| ClassLimit::new(class, clock))),
        }
    }

    /// Takes one request from the subject's bucket, or refuses with 429.
    pub fn check(&self, class: Class, subject: Subject) -> Result<(), ApiError> {
        let Some(classes) = &self.classes else {
            return Ok(());
        };
        classes[class as usize].check(subject).map_err(|wait| {
            metrics::request_limited(class.as_str());
            ApiError::limit_exceeded(wait)
        })
    }
}

struct ClassLimit {
    limiter: RateLimiter<Subject, Buckets, Uptime, NoOpMiddleware<Duration>>,
    clock: Uptime,
    next_sweep_ms: AtomicU64,
}

impl ClassLimit {
    fn new(class: Class, clock: &Arc<dyn Clock>) -> Self {
        let clock = Uptime(Arc::clone(clock));
        Self {
            limiter: RateLimiter::new(class.quota(), Buckets::default(), clock.clone()),
            clock,
            next_sweep_ms: AtomicU64::new(0),
        }
    }

    fn check(&self, subject: Subject) -> Result<(), Duration> {
        self.sweep();
        self.limiter.check_key(&subject).map_err(|not_until| {
            // At least a millisecond: a client told "0" comes back at once.
            not_until
                .wait_time_from(self.clock.now())
                .max(Duration::from_millis(1))
        })
    }

    fn sweep(&self) {
        let now_ms = millis(self.clock.now());
        let due = self.next_sweep_ms.load(Ordering::Relaxed);
        if now_ms < due {
            return;
        }
        let next = now_ms.saturating_add(millis(SWEEP_EVERY));
        let won = self
            .next_sweep_ms
            .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok();
        if won {
            self.limiter.retain_recent();
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Our clock's monotonic reading, as governor wants it.
#[derive(Clone)]
struct Uptime(Arc<dyn Clock>);

impl GovernorClock for Uptime {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.uptime()
    }
}

/// The buckets of one class: for each subject the time at which its bucket is full again.
#[derive(Default)]
struct Buckets(Mutex<HashMap<Subject, Nanos>>);

impl StateStore for Buckets {
    type Key = Subject;

    fn measure_and_replace<T, F, E>(&self, subject: &Subject, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut buckets = self.0.lock();
        let (decision, full_at) = decide(buckets.get(subject).copied())?;
        if buckets.len() >= MAX_BUCKETS && !buckets.contains_key(subject) {
            halve(&mut buckets);
        }
        buckets.insert(*subject, full_at);
        Ok(decision)
    }
}

/// Forgets every second bucket. Whoever can fill the table has thousands of addresses, each with
/// a bucket of its own, so a forgotten one is no gain; refusing newcomers would be.
fn halve(buckets: &mut HashMap<Subject, Nanos>) {
    let mut keep = false;
    buckets.retain(|_, _| {
        keep = !keep;
        keep
    });
}

impl ShrinkableKeyedStateStore<Subject> for Buckets {
    fn retain_recent(&self, drop_below: Nanos) {
        let mut buckets = self.0.lock();
        buckets.retain(|_, full_at| *full_at > drop_below);
        buckets.shrink_to_fit();
    }

    fn len(&self) -> usize {
        self.0.lock().len()
    }

    fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }
}

#[cfg(test)]
mod tests;
