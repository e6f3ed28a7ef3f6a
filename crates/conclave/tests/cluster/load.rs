//! People who write and follow all the time, and what they found.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use testkit::eventually_within;
use tokio::time::Instant;

use crate::{
    followers::{Followed, Followers},
    form::pause,
    scene::{GIVES_UP_AFTER, PATIENCE, Scene},
    writers::{Acknowledged, Writers},
};

/// How many write at once.
const WRITERS: usize = 12;

/// What everybody shares.
#[derive(Default)]
pub(crate) struct Shared {
    stopped: AtomicBool,
    rests: AtomicBool,
    steps: AtomicU64,
    answered: AtomicUsize,
    /// What was read at another node right after it was acknowledged.
    pub(crate) read_back: AtomicUsize,
    pub(crate) retried: AtomicUsize,
    findings: Mutex<Vec<String>>,
    cure: Mutex<Option<Cure>>,
    pub(crate) waits: Mutex<Waits>,
}

/// A fault, and when somebody whom it struck was helped.
#[derive(Clone, Copy)]
struct Cure {
    since: Instant,
    took: Option<Duration>,
}

/// How long things took.
#[derive(Default)]
pub(crate) struct Waits {
    /// The longest that anybody waited to be acknowledged.
    pub(crate) longest: Duration,
    /// The longest time in which nobody was acknowledged.
    pub(crate) silence: Duration,
    last: Option<Instant>,
}

impl Shared {
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Waits while everybody rests.
    pub(crate) async fn rest(&self) {
        while self.rests.load(Ordering::SeqCst) {
            pause(Duration::from_millis(20)).await;
        }
    }

    /// A number above all that were given before.
    pub(crate) fn step(&self) -> u64 {
        self.steps.fetch_add(1, Ordering::SeqCst)
    }

    pub(crate) fn find(&self, sentence: String) {
        self.findings.lock().unwrap().push(sentence);
    }

    /// Somebody was acknowledged, who first asked then.
    pub(crate) fn note_answer(&self, asked: Instant, was_retried: bool) {
        self.answered.fetch_add(1, Ordering::SeqCst);
        self.retried
            .fetch_add(usize::from(was_retried), Ordering::SeqCst);
        let now = Instant::now();
        let mut waits = self.waits.lock().unwrap();
        waits.longest = waits.longest.max(now - asked);
        if let Some(last) = waits.last.replace(now) {
            waits.silence = waits.silence.max(now - last);
        }
        if let Some(cure) = &mut *self.cure.lock().unwrap()
            && was_retried
        {
            cure.took.get_or_insert(now - cure.since);
        }
    }
}

/// The load while it is on.
pub(crate) struct Load {
    pub(crate) shared: Arc<Shared>,
    scene: Arc<Scene>,
    writers: Writers,
    followers: Followers,
}

/// What the load saw.
pub(crate) struct Seen {
    pub(crate) acknowledged: Acknowledged,
    pub(crate) followed: Vec<Followed>,
    pub(crate) findings: Vec<String>,
    pub(crate) shared: Arc<Shared>,
}

impl Load {
    pub(crate) async fn start(scene: &Arc<Scene>, seed: u64) -> Self {
        let shared = Arc::new(Shared::default());
        let followers = Followers::start(scene, &shared, seed).await;
        Self {
            writers: Writers::start(scene, &shared, seed, WRITERS),
            scene: Arc::clone(scene),
            shared,
            followers,
        }
    }

    /// Waits until so many more requests have been acknowledged.
    pub(crate) async fn goes_on(&self, answers: usize) {
        let enough = self.shared.answered.load(Ordering::SeqCst) + answers;
        eventually_within(PATIENCE, "the load goes on", || async {
            (self.shared.answered.load(Ordering::SeqCst) >= enough).then_some(())
        })
        .await;
    }

    /// Has everybody finish what they do and rest, or go on.
    pub(crate) async fn rests(&self, rests: bool) {
        self.shared.rests.store(rests, Ordering::SeqCst);
        if rests {
            pause(GIVES_UP_AFTER).await;
        }
        self.shared.waits.lock().unwrap().last = None;
    }

    /// A fault strikes now.
    pub(crate) fn struck(&self) {
        *self.shared.cure.lock().unwrap() = Some(Cure {
            since: Instant::now(),
            took: None,
        });
    }

    /// How long it took until somebody whom the last fault struck was helped at another node.
    pub(crate) async fn cured(&self) -> Duration {
        eventually_within(PATIENCE, "a retried request succeeds", || async {
            self.shared.cure.lock().unwrap().and_then(|cure| cure.took)
        })
        .await
    }

    /// Lets everybody finish what they have begun.
    pub(crate) async fn finish(self) -> Seen {
        self.shared.stopped.store(true, Ordering::SeqCst);
        let acknowledged = self.writers.finish().await;
        let followed = self.followers.finish(&self.scene).await;
        let findings = std::mem::take(&mut *self.shared.findings.lock().unwrap());
        Seen {
            acknowledged,
            followed,
            findings,
            shared: self.shared,
        }
    }
}
