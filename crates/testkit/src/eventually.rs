//! Waiting, in real time and not for ever, until something is so.

use std::time::Duration;

/// How long [`eventually`] waits: long for a loaded machine, short for a person.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often the question is asked.
const PAUSE: Duration = Duration::from_millis(10);

/// Asks `question` again and again until it answers with a value, and returns that.
///
/// Use it for what another task, process or server does in real time; what hangs on the `Clock` is
/// moved with [`FakeClock::advance`](crate::clock::FakeClock::advance).
///
/// # Panics
///
/// When ten seconds have passed: `claim` says what did not become true.
#[track_caller]
pub fn eventually<T, Answer: Future<Output = Option<T>>>(
    claim: &str,
    question: impl FnMut() -> Answer,
) -> impl Future<Output = T> {
    eventually_within(PATIENCE, claim, question)
}

/// Like [`eventually`], with a patience of its own.
///
/// # Panics
///
/// When `patience` has passed: `claim` says what did not become true.
#[track_caller]
pub fn eventually_within<T, Answer: Future<Output = Option<T>>>(
    patience: Duration,
    claim: &str,
    mut question: impl FnMut() -> Answer,
) -> impl Future<Output = T> {
    let place = std::panic::Location::caller();
    async move {
        let asking = async {
            let mut pause = tokio::time::interval(PAUSE);
            loop {
                pause.tick().await;
                if let Some(answer) = question().await {
                    return answer;
                }
            }
        };
        tokio::time::timeout(patience, asking)
            .await
            .unwrap_or_else(|_| panic!("{place}: not within {patience:?}: {claim}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_answer_is_returned() {
        let mut asked = 0;
        let answer = eventually("it is asked three times", || {
            asked += 1;
            let answer = (asked == 3).then_some("yes");
            async move { answer }
        })
        .await;
        assert_eq!(answer, "yes");
        assert_eq!(asked, 3);
    }

    #[tokio::test]
    #[should_panic(expected = "pigs fly")]
    async fn what_never_becomes_true_is_named() {
        eventually_within(Duration::from_millis(30), "pigs fly", || async {
            None::<()>
        })
        .await;
    }

    #[tokio::test]
    #[should_panic(expected = "an answer at all")]
    async fn a_question_without_an_answer_ends_too() {
        let patience = Duration::from_millis(30);
        eventually_within(
            patience,
            "an answer at all",
            std::future::pending::<Option<()>>,
        )
        .await;
    }
}
