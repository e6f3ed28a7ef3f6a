//! The table of buckets stays bounded, whoever asks.

use std::net::Ipv4Addr;

use model::time::{Sleep, Timestamp};

use super::*;

#[derive(Default)]
struct Millis(AtomicU64);

impl Clock for Millis {
    fn now(&self) -> Timestamp {
        Timestamp::default().plus(self.uptime())
    }

    fn uptime(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }

    fn sleep(&self, _: Duration) -> Sleep {
        Box::pin(std::future::pending())
    }
}

fn address(number: u32) -> Subject {
    Subject::address(IpAddr::V4(Ipv4Addr::from_bits(number)))
}

fn limit() -> (Arc<Millis>, ClassLimit) {
    let millis = Arc::new(Millis::default());
    let clock: Arc<dyn Clock> = Arc::<Millis>::clone(&millis);
    (millis, ClassLimit::new(Class::Login, &clock))
}

#[test]
fn more_addresses_than_buckets_are_served_in_bounded_memory() {
    let (_, limit) = limit();
    for number in 0..100_000 {
        limit.check(address(number)).unwrap();
        assert!(limit.limiter.len() <= MAX_BUCKETS);
    }
}

#[test]
fn buckets_that_are_full_again_are_forgotten() {
    let (millis, limit) = limit();
    for number in 0..1000 {
        limit.check(address(number)).unwrap();
    }
    millis.0.store(120_000, Ordering::Relaxed);
    limit.check(address(5000)).unwrap();
    assert_eq!(limit.limiter.len(), 1);
}

#[test]
fn a_drained_bucket_is_not_forgotten_early() {
    let (millis, limit) = limit();
    millis.0.store(59_000, Ordering::Relaxed);
    while limit.check(address(1)).is_ok() {}
    millis.0.store(60_000, Ordering::Relaxed);
    limit.check(address(2)).unwrap();
    limit.check(address(1)).unwrap();
    assert!(limit.check(address(1)).is_err());
}

#[test]
fn one_ipv6_network_is_one_client() {
    let subject = |text: &str| Subject::address(text.parse().unwrap());
    assert_eq!(subject("2001:db8::1"), subject("2001:db8::ffff:1"));
    assert_ne!(subject("2001:db8::1"), subject("2001:db8:0:1::1"));
}
