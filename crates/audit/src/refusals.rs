//! How many refusals are recorded one by one: a guesser must not flood the record.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use model::time::Clock;
use parking_lot::Mutex;

use crate::{Act, Record, Target};

/// How many refusals of one kind are recorded at once.
const BURST: u32 = 5;

/// After this long one more refusal of the same kind may be recorded.
const REFILL: Duration = Duration::from_secs(60);

/// How many refusals are recorded at once, whatever their kinds.
const TOTAL_BURST: u32 = 200;

/// After this long one more refusal may be recorded, whatever its kind.
const TOTAL_REFILL: Duration = Duration::from_millis(200);

/// How many kinds are told apart; what comes beyond is counted together.
const KINDS: usize = 10_000;

/// Decides which refusals get a record of their own; the others are counted into the next one.
pub struct RefusalRate {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    kinds: HashMap<Kind, Bucket>,
    /// For those that are not told apart any more.
    others: Bucket,
    total: Bucket,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Kind {
    act: Act,
    network: Option<IpAddr>,
    target: Target,
}

#[derive(Clone, Copy)]
struct Bucket {
    used: u32,
    /// Up to when `used` has been given back.
    since: Duration,
    unrecorded: u32,
}

impl RefusalRate {
    /// Begins with nothing counted.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let since = clock.uptime();
        let state = State {
            kinds: HashMap::new(),
            others: Bucket::full(since),
            total: Bucket::full(since),
        };
        Self {
            clock,
            state: Mutex::new(state),
        }
    }

    /// Gives the record back, with the number of those like it that went without one before;
    /// `None` when this one is only counted.
    ///
    /// Alike are refusals of the same act on the same target from the same address (IPv6: from
    /// the same /64).
    pub fn admit(&self, record: Record) -> Option<Record> {
        let now = self.clock.uptime();
        let kind = Kind {
            act: record.act(),
            network: record.origin().address.map(network),
            target: record.target().clone(),
        };
        let mut state = self.state.lock();
        let State {
            kinds,
            others,
            total,
        } = &mut *state;
        if kinds.len() >= KINDS && !kinds.contains_key(&kind) {
            sweep(kinds, others, now);
        }
        let bucket = if kinds.len() < KINDS || kinds.contains_key(&kind) {
            kinds.entry(kind).or_insert_with(|| Bucket::full(now))
        } else {
            others
        };
        let may =
            bucket.has_room(now, BURST, REFILL) && total.has_room(now, TOTAL_BURST, TOTAL_REFILL);
        if !may {
            bucket.unrecorded = bucket.unrecorded.saturating_add(1);
            return None;
        }
        bucket.used += 1;
        total.used += 1;
        Some(record.repeated_times(std::mem::take(&mut bucket.unrecorded)))
    }
}

/// Forgets the kinds that have rested; what they counted is told with the others.
fn sweep(kinds: &mut HashMap<Kind, Bucket>, others: &mut Bucket, now: Duration) {
    kinds.retain(|_, bucket| {
        bucket.give_back(now, REFILL);
        let rested = bucket.used == 0;
        if rested {
            others.unrecorded = others.unrecorded.saturating_add(bucket.unrecorded);
        }
        !rested
    });
}

impl Bucket {
    const fn full(since: Duration) -> Self {
        Self {
            used: 0,
            since,
            unrecorded: 0,
        }
    }

    fn has_room(&mut self, now: Duration, burst: u32, refill: Duration) -> bool {
        self.give_back(now, refill);
        self.used < burst
    }

    fn give_back(&mut self, now: Duration, refill: Duration) {
        let passed = now.saturating_sub(self.since);
        let back = u32::try_from(passed.as_millis() / refill.as_millis()).unwrap_or(u32::MAX);
        if back >= self.used {
            self.used = 0;
            self.since = now;
        } else {
            self.used -= back;
            self.since += refill * back;
        }
    }
}

/// The smallest network that one person surely has: an IPv4 address, an IPv6 /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use testkit::clock::FakeClock;

    use super::*;
    use crate::{Actor, Origin};

    fn failure(address: &str, user: &str) -> Record {
        Record::new(Act::SignInFailed, Actor::Anonymous)
            .from(Origin {
                address: Some(address.parse().unwrap()),
                user_agent: None,
            })
            .on(Target::user(user))
            .refused("wrong password")
    }

    fn rate() -> (FakeClock, RefusalRate) {
        let clock = FakeClock::default();
        (clock.clone(), RefusalRate::new(Arc::new(clock)))
    }

    fn admitted(rate: &RefusalRate, times: usize, record: &Record) -> usize {
        (0..times)
            .filter(|_| rate.admit(record.clone()).is_some())
            .count()
    }

    #[test]
    fn what_goes_without_a_record_is_counted_into_the_next_one() {
        let (clock, rate) = rate();
        let record = failure("192.0.2.1", "@a:x");
        assert_eq!(admitted(&rate, 1_000, &record), 5);
        clock.advance(REFILL);
        assert_eq!(rate.admit(record.clone()).unwrap().repeated(), 995);
        assert!(rate.admit(record.clone()).is_none());
        clock.advance(REFILL);
        assert_eq!(rate.admit(record).unwrap().repeated(), 1);
    }

    #[test]
    fn another_target_or_origin_has_records_of_its_own() {
        let (_, rate) = rate();
        assert_eq!(admitted(&rate, 9, &failure("192.0.2.1", "@a:x")), 5);
        assert_eq!(admitted(&rate, 9, &failure("192.0.2.1", "@b:x")), 5);
        assert_eq!(admitted(&rate, 9, &failure("192.0.2.2", "@a:x")), 5);
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_alike() {
        let (_, rate) = rate();
        assert_eq!(admitted(&rate, 9, &failure("2001:db8::1", "@a:x")), 5);
        assert_eq!(admitted(&rate, 9, &failure("2001:db8::2:2", "@a:x")), 0);
        assert_eq!(admitted(&rate, 9, &failure("2001:db8:0:1::1", "@a:x")), 5);
    }

    #[test]
    fn many_kinds_together_are_bounded_and_none_is_lost_from_the_count() {
        let (clock, rate) = rate();
        let flood = || -> (u64, u64) {
            let records = (0..30_000).filter_map(|user| {
                let record = failure("192.0.2.1", &format!("@u{user}:x"));
                Some(u64::from(rate.admit(record)?.repeated()))
            });
            records.fold((0, 0), |(count, sum), repeated| (count + 1, sum + repeated))
        };
        assert_eq!(flood(), (u64::from(TOTAL_BURST), 0));
        // Those that have rested are forgotten, and their counts are told with the others.
        clock.advance(REFILL * 10);
        let (recorded, repeated) = flood();
        assert_eq!(recorded, u64::from(TOTAL_BURST));
        let state = rate.state.lock();
        assert!(state.kinds.len() <= KINDS);
        let waiting = state.kinds.values().chain([&state.others]);
        let waiting: u64 = waiting.map(|bucket| u64::from(bucket.unrecorded)).sum();
        drop(state);
        assert_eq!(2 * recorded + repeated + waiting, 60_000);
    }
}
