//! What is known of addresses, and who is asking for more: one question for all who want to know.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};
use moka::sync::Cache;
use parking_lot::Mutex;
use url::Url;

use crate::{Preview, PreviewError};

/// How long a preview is remembered.
pub(crate) const REMEMBERED_FOR: Duration = Duration::from_secs(3_600);

/// How long it is remembered that there is none.
pub(crate) const MISSED_FOR: Duration = Duration::from_secs(300);

/// How many addresses are remembered. Each is at most 4 KiB, and what is known of it 8 KiB.
const REMEMBERED: u64 = 1_000;

/// What became of an address.
pub(crate) type Outcome = Result<Arc<Preview>, PreviewError>;

/// A question that several wait for; it is broken off when none of them does any longer.
pub(crate) type Question = Shared<BoxFuture<'static, Outcome>>;

/// What a node knows of addresses.
pub(crate) struct Memory {
    known: Cache<Url, Known>,
    asked: Mutex<HashMap<Url, WeakShared<BoxFuture<'static, Outcome>>>>,
}

#[derive(Clone)]
struct Known {
    outcome: Outcome,
    /// By the clock's uptime.
    until: Duration,
}

/// What to do about an address.
pub(crate) enum Found {
    /// It is known.
    Known(Outcome),
    /// It is asked for, by oneself or by somebody before.
    Asked(Question),
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self {
            known: Cache::new(REMEMBERED),
            asked: Mutex::new(HashMap::new()),
        }
    }

    /// What is known of an address, or the question for it, which is asked if nobody does.
    pub(crate) fn find(
        &self,
        url: &Url,
        uptime: Duration,
        ask: impl FnOnce() -> BoxFuture<'static, Outcome>,
    ) -> Found {
        let mut asked = self.asked.lock();
        if let Some(known) = self.known.get(url).filter(|known| uptime < known.until) {
            return Found::Known(known.outcome);
        }
        if let Some(question) = asked.get(url).and_then(WeakShared::upgrade) {
            return Found::Asked(question);
        }
        asked.retain(|_, question| question.upgrade().is_some());
        let question = ask().shared();
        if let Some(weak) = question.downgrade() {
            asked.insert(url.clone(), weak);
        }
        Found::Asked(question)
    }

    /// Remembers what became of an address; that others were in the way is nothing to remember.
    pub(crate) fn keep(&self, url: &Url, uptime: Duration, outcome: &Outcome) {
        let long = match outcome {
            Ok(_) => REMEMBERED_FOR,
            Err(PreviewError::Busy { .. }) => return,
            Err(_) => MISSED_FOR,
        };
        let known = Known {
            outcome: outcome.clone(),
            until: uptime.saturating_add(long),
        };
        self.known.insert(url.clone(), known);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future;
    use tokio::sync::oneshot;

    use super::*;

    fn url() -> Url {
        "http://pages.test/".parse().unwrap()
    }

    /// A question that is answered by hand.
    fn asked(memory: &Memory, answer: oneshot::Receiver<Outcome>) -> Question {
        let ask = || answer.map(|outcome| outcome.unwrap()).boxed();
        match memory.find(&url(), Duration::ZERO, ask) {
            Found::Asked(question) => question,
            Found::Known(_) => panic!("it is known"),
        }
    }

    fn joined(memory: &Memory) -> Question {
        let (_never, answer) = oneshot::channel();
        asked(memory, answer)
    }

    #[tokio::test]
    async fn who_leaves_takes_the_question_from_nobody_else() {
        let memory = Memory::new();
        let (answer, answered) = oneshot::channel();
        let first = asked(&memory, answered);
        let others = [joined(&memory), joined(&memory)];
        drop(first);
        answer.send(Ok(Arc::default())).unwrap();
        for outcome in future::join_all(others).await {
            assert_eq!(outcome, Ok(Arc::default()));
        }
    }

    #[tokio::test]
    async fn a_question_that_nobody_waits_for_is_broken_off_and_asked_anew() {
        let memory = Memory::new();
        let (answer, answered) = oneshot::channel();
        drop(asked(&memory, answered));
        assert!(answer.is_closed());
        let (answer, answered) = oneshot::channel();
        let again = asked(&memory, answered);
        answer.send(Err(PreviewError::Missing)).unwrap();
        assert_eq!(again.await, Err(PreviewError::Missing));
    }

    #[test]
    fn what_is_known_is_known_for_its_time() {
        let count = AtomicUsize::new(0);
        let memory = Memory::new();
        let find = |uptime| {
            let ask = || {
                count.fetch_add(1, Ordering::Relaxed);
                future::pending().boxed()
            };
            matches!(memory.find(&url(), uptime, ask), Found::Known(_))
        };
        let second = Duration::from_secs(1);
        let busy = Err(PreviewError::Busy {
            retry_after: second,
        });
        memory.keep(&url(), second, &busy);
        assert!(!find(second));
        memory.keep(&url(), second, &Err(PreviewError::Missing));
        assert!(find(MISSED_FOR));
        assert!(!find(MISSED_FOR + second));
        memory.keep(&url(), second, &Ok(Arc::default()));
        assert!(find(REMEMBERED_FOR));
        assert!(!find(REMEMBERED_FOR + second));
        assert_eq!(count.load(Ordering::Relaxed), 3);
    }
}
