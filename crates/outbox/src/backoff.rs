//! How long to wait before something is tried again.

use std::time::Duration;

use model::entropy::Entropy;

/// After the first failure.
const FIRST: Duration = Duration::from_secs(1);

/// More doublings than the longest wait has.
const MOST_DOUBLINGS: i64 = 16;

/// After many.
pub(crate) const LONGEST: Duration = Duration::from_secs(15 * 60);

/// The longest that a target may ask for.
pub(crate) const LONGEST_OF_ALL: Duration = Duration::from_secs(3_600);

/// The wait after so many failures in a row: twice as long each time, and between half of that and
/// all of it, so that what failed together does not come back together.
pub(crate) fn wait(entropy: &dyn Entropy, failures: i64, asked: Option<Duration>) -> Duration {
    let doublings = failures.saturating_sub(1).clamp(0, MOST_DOUBLINGS);
    let whole = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    let mut random = [0; 2];
    entropy.fill(&mut random);
    let share = f64::from(u16::from_le_bytes(random)) / f64::from(u16::MAX);
    let wait = whole.mul_f64(0.5 + share / 2.0);
    wait.max(asked.unwrap_or_default().min(LONGEST_OF_ALL))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Always(u8);

    impl Entropy for Always {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0);
        }
    }

    #[test]
    fn waits_grow_to_a_bound_and_differ_by_chance() {
        let (least, most) = (Always(0), Always(255));
        assert_eq!(wait(&least, 1, None), Duration::from_millis(500));
        assert_eq!(wait(&most, 1, None), Duration::from_secs(1));
        assert_eq!(wait(&most, 4, None), Duration::from_secs(8));
        assert_eq!(wait(&most, i64::MAX, None), LONGEST);
        assert_eq!(wait(&least, i64::MAX, None), LONGEST / 2);
    }

    #[test]
    fn a_target_may_ask_for_more_but_not_for_ever() {
        let most = Always(255);
        let asked = Some(Duration::from_secs(60));
        assert_eq!(wait(&most, 1, asked), Duration::from_secs(60));
        assert_eq!(wait(&most, 20, asked), LONGEST);
        assert_eq!(wait(&most, 1, Some(Duration::MAX)), LONGEST_OF_ALL);
    }
}
