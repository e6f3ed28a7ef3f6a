//! This machine's clock, against the database server's and against what is in the log.

use std::time::Duration;

use model::time::Timestamp;
use store::{ClockDifference, Examination};

use super::{Findings, Scene, Verdict, database::failed, shown};

const CHECK: &str = "clock";

/// From here on people see it: messages seem to come from another time.
const NOTABLE_MS: i64 = 1_000;

/// From here on signatures, tokens and certificates of others are refused.
const FAR_MS: i64 = 30_000;

/// Compares this machine's clock with what the database knows of time.
pub(super) async fn examine(examination: &Examination, scene: &Scene<'_>, findings: &mut Findings) {
    let clock = &*scene.surroundings.clock;
    match examination.clock(clock).await {
        Ok(Some(difference)) => {
            let (verdict, says) = against_server(difference);
            findings.add(verdict, CHECK, says);
        }
        Ok(None) => {}
        Err(error) => failed(CHECK, &error, scene, findings),
    }
    match examination.newest_batch().await {
        Ok(Some(newest)) => {
            let (verdict, says) = against_log(newest, clock.now());
            findings.add(verdict, CHECK, says);
        }
        Ok(None) => {}
        Err(error) => failed(CHECK, &error, scene, findings),
    }
}

fn verdict(off_ms: i64) -> Verdict {
    match off_ms {
        FAR_MS.. => Verdict::Wrong,
        NOTABLE_MS.. => Verdict::Warning,
        _ => Verdict::Ok,
    }
}

fn span(millis: i64) -> String {
    shown(Duration::from_millis(millis.unsigned_abs()))
}

fn against_server(difference: ClockDifference) -> (Verdict, String) {
    let ClockDifference {
        ahead_ms,
        exact_to_ms,
    } = difference;
    // What asking took is nobody's fault.
    let verdict = verdict(ahead_ms.saturating_abs().saturating_sub(exact_to_ms));
    let side = match ahead_ms {
        0 => return (verdict, "it is that of the database server".to_owned()),
        1.. => "behind",
        _ => "ahead of",
    };
    let advice = match verdict {
        Verdict::Ok => "",
        _ => ": let chrony or systemd-timesyncd set both",
    };
    let off = span(ahead_ms);
    let says =
        format!("this machine\u{2019}s is {off} {side} the database server\u{2019}s{advice}");
    (verdict, says)
}

fn against_log(newest: Timestamp, now: Timestamp) -> (Verdict, String) {
    let behind_ms = newest.as_millis().saturating_sub(now.as_millis());
    let verdict = verdict(behind_ms);
    let says = match verdict {
        Verdict::Ok => "the newest change in the log is not from the future".to_owned(),
        _ => format!(
            "the newest change in the log was made {} after now: this machine\u{2019}s clock is \
             behind, or was ahead once; let chrony or systemd-timesyncd set it",
            span(behind_ms)
        ),
    };
    (verdict, says)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(ahead_ms: i64, exact_to_ms: i64) -> (Verdict, String) {
        against_server(ClockDifference {
            ahead_ms,
            exact_to_ms,
        })
    }

    #[test]
    fn a_clock_that_is_off_by_a_second_is_told_and_by_half_a_minute_is_wrong() {
        for (ahead_ms, verdict) in [
            (0, Verdict::Ok),
            (999, Verdict::Ok),
            (-999, Verdict::Ok),
            (1_000, Verdict::Warning),
            (-1_000, Verdict::Warning),
            (29_999, Verdict::Warning),
            (30_000, Verdict::Wrong),
            (-30_000, Verdict::Wrong),
            (i64::MIN, Verdict::Wrong),
        ] {
            assert_eq!(server(ahead_ms, 0).0, verdict, "{ahead_ms}");
        }
    }

    #[test]
    fn who_is_behind_and_who_is_ahead_is_told() {
        let says = server(2_300, 0).1;
        assert!(says.contains("2.3 s behind the database server"), "{says}");
        let says = server(-40_000, 0).1;
        assert!(says.contains("40.0 s ahead of the database"), "{says}");
        assert!(says.contains("chrony"), "{says}");
    }

    #[test]
    fn a_slow_answer_is_no_wrong_clock() {
        assert_eq!(server(1_400, 500).0, Verdict::Ok);
        assert_eq!(server(1_400, 300).0, Verdict::Warning);
    }

    #[test]
    fn a_log_from_the_future_is_told_and_an_old_one_is_not() {
        let now = Timestamp::from_millis(1_000_000);
        let at = |millis| against_log(Timestamp::from_millis(millis), now).0;
        assert_eq!(at(0), Verdict::Ok);
        assert_eq!(at(1_000_999), Verdict::Ok);
        assert_eq!(at(1_001_000), Verdict::Warning);
        assert_eq!(at(1_030_000), Verdict::Wrong);
        let (_, says) = against_log(Timestamp::from_millis(1_060_000), now);
        assert!(says.contains("60.0 s after now"), "{says}");
    }
}
