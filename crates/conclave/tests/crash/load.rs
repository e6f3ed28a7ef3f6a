//! How much is going on, and what is on its way.

use std::{
    collections::HashMap,
    io::ErrorKind,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use testkit::eventually_within;
use tokio::sync::watch;

/// Long enough for a database server that recovers on a machine with other work.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many times, each a hundredth of a second, a server may take to find out that it must refuse.
const SOON: u32 = 2_000;

/// A change that was asked for and not acknowledged yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Message(String),
    /// A writer's account data, and its value.
    Count(usize, u64),
    /// Nothing that could be told apart from what came before.
    Other,
}

/// What all writers share.
#[derive(Debug, Default)]
pub(crate) struct Load {
    stopped: AtomicBool,
    in_flight: AtomicUsize,
    answered: AtomicUsize,
    /// Answers that said to try again.
    put_off: AtomicUsize,
    /// The process that the next acknowledgement kills; 0 is none.
    doomed: AtomicI32,
    blamed: Mutex<Vec<String>>,
    steps: AtomicU64,
    /// By writer.
    asked: Mutex<HashMap<usize, Asked>>,
    held: watch::Sender<bool>,
}

impl Load {
    /// Waits until this many more requests have been answered.
    pub(crate) async fn wait_for(&self, answers: usize) {
        let enough = self.answered.load(Ordering::SeqCst) + answers;
        eventually_within(PATIENCE, "the load is on again", || async {
            (self.answered.load(Ordering::SeqCst) >= enough).then_some(())
        })
        .await;
    }

    /// Waits until at least this many requests wait for their answers, and says how many do.
    pub(crate) async fn wait_for_in_flight(&self, count: usize) -> usize {
        eventually_within(PATIENCE, "enough requests are on their way", || async {
            let in_flight = self.in_flight.load(Ordering::SeqCst);
            (in_flight >= count).then_some(in_flight)
        })
        .await
    }

    /// Has this process killed at the very moment at which an acknowledgement arrives, and waits
    /// until it was.
    pub(crate) async fn kill_at_next_answer(&self, process: Pid) {
        self.doomed
            .store(process.as_raw_nonzero().get(), Ordering::SeqCst);
        eventually_within(PATIENCE, "a request is answered", || async {
            (self.doomed.load(Ordering::SeqCst) == 0).then_some(())
        })
        .await;
    }

    /// Here, and not in a task that would have to be woken: every microsecond counts.
    fn kill_doomed(&self) {
        let doomed = self.doomed.swap(0, Ordering::SeqCst);
        if let Some(process) = Pid::from_raw(doomed) {
            kill_process(process, Signal::KILL).unwrap();
        }
    }

    /// Says whether this many more requests are soon answered with a failure of the server.
    pub(crate) async fn is_put_off(&self, requests: usize) -> bool {
        let enough = self.put_off.load(Ordering::SeqCst) + requests;
        let mut looks = tokio::time::interval(Duration::from_millis(10));
        for _ in 0..SOON {
            looks.tick().await;
            if self.put_off.load(Ordering::SeqCst) >= enough {
                return true;
            }
        }
        false
    }

    /// From now on nobody repeats a request that was not answered.
    pub(crate) fn hold(&self) {
        self.held.send_replace(true);
    }

    pub(crate) fn go_on(&self) {
        self.held.send_replace(false);
    }

    /// What was asked for and is not acknowledged.
    pub(crate) fn on_their_way(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().values().cloned().collect()
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// A number above all that were given before.
    pub(crate) fn step(&self) -> u64 {
        self.steps.fetch_add(1, Ordering::SeqCst)
    }

    /// Asks until there is an answer that says what became of the request; none when that was
    /// refused as a fault of who asked.
    pub(crate) async fn until_answered<T, F>(
        &self,
        writer: usize,
        asked: Asked,
        ask: impl Fn() -> F,
    ) -> Option<T>
    where
        F: Future<Output = std::io::Result<T>>,
    {
        self.asked.lock().unwrap().insert(writer, asked.clone());
        loop {
            self.in_flight.fetch_add(1, Ordering::SeqCst);
            let answer = ask().await;
            self.in_flight.fetch_sub(1, Ordering::SeqCst);
            let answer = match answer {
                Ok(answer) => Some(answer),
                // Whatever befalls the server is no fault of who asked: a client that is told so
                // would give up, or sign out.
                Err(error) if error.to_string().starts_with("http/1.0 4") => {
                    let sentence = format!("{asked:?} was answered with {error}");
                    self.blamed.lock().unwrap().push(sentence);
                    None
                }
                Err(error) => {
                    let put_off = error.kind() == ErrorKind::Other;
                    self.put_off
                        .fetch_add(usize::from(put_off), Ordering::SeqCst);
                    self.pause_after_failure().await;
                    continue;
                }
            };
            if answer.is_some() {
                self.kill_doomed();
            }
            self.asked.lock().unwrap().remove(&writer);
            self.answered.fetch_add(1, Ordering::SeqCst);
            return answer;
        }
    }

    /// What was refused as a fault of who asked, and was none.
    pub(crate) fn blamed(&self) -> Vec<String> {
        self.blamed.lock().unwrap().clone()
    }

    async fn pause_after_failure(&self) {
        let mut held = self.held.subscribe();
        held.wait_for(|held| !held).await.unwrap();
        #[expect(
            clippy::disallowed_methods,
            reason = "the server comes back in real time"
        )]
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
