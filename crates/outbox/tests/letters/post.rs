//! A lane that a test directs, and the nodes whose letters it takes.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use outbox::{Delivered, Lane, Letter, Outbox, Then};
use parking_lot::Mutex;
use store::{
    Begin, Database, DatabaseOptions, LeasedCursor, LocalWrite, Location, Log, LogBuilder, Pos,
    StoreError,
};
use testkit::{clock::FakeClock, entropy::SeededEntropy, eventually, postgres::TestDatabase};
use tokio::{sync::Notify, task::JoinHandle};

/// A database and a clock.
pub(crate) struct Server {
    pub(crate) clock: FakeClock,
    location: Location,
    _folder: Option<tempfile::TempDir>,
    _postgres: Option<TestDatabase>,
}

/// A node over it.
pub(crate) struct Node {
    pub(crate) log: Log,
    pub(crate) outbox: Outbox,
    clock: FakeClock,
    cursor: Mutex<Option<LeasedCursor>>,
}

/// How a lane takes letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// All of them.
    Takes,
    /// None now; it may say when.
    IsAway(Option<Duration>),
    /// All but those of one position.
    Refuses(i64),
    /// Nobody is there.
    IsGone,
    /// It takes them when it is told to.
    Hesitates,
    /// It is not time yet.
    Waits(Duration),
}

/// The lane.
pub(crate) struct Post {
    mood: Mutex<Mood>,
    /// By target, if another mood is theirs.
    moods: Mutex<BTreeMap<String, Mood>>,
    tries: Mutex<u32>,
    took: Mutex<BTreeMap<String, Vec<i64>>>,
    gate: Notify,
}

impl Server {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            clock: FakeClock::default(),
            location: Location::Sqlite(folder.path().join("conclave.db")),
            _folder: Some(folder),
            _postgres: None,
        }
    }

    pub(crate) async fn postgres() -> Self {
        let postgres = testkit::postgres::database().await;
        Self {
            clock: FakeClock::default(),
            location: Location::Postgres(postgres.url.clone()),
            _folder: None,
            _postgres: Some(postgres),
        }
    }

    pub(crate) async fn node(&self) -> Arc<Node> {
        let database = Database::open(DatabaseOptions {
            location: self.location.clone(),
            server_name: "example.org".to_owned(),
            migrations: vec![outbox::MIGRATIONS],
            readers: 8,
        });
        let builder = LogBuilder::new(database.await.unwrap(), Arc::new(self.clock.clone()));
        let log = builder.start().await.unwrap();
        Arc::new(Node {
            outbox: Outbox::new(log.clone(), Arc::new(SeededEntropy::new(7))),
            log,
            clock: self.clock.clone(),
            cursor: Mutex::default(),
        })
    }
}

impl Node {
    /// Carries letters to a lane; ending the task is a crash.
    pub(crate) async fn carry(self: &Arc<Self>, post: &Arc<Post>) -> JoinHandle<()> {
        *self.cursor.lock() = None;
        let (node, post) = (Arc::clone(self), Arc::clone(post));
        let carrying = tokio::spawn(async move {
            let work = |cursor: LeasedCursor| {
                *node.cursor.lock() = Some(cursor.clone());
                let (outbox, post) = (node.outbox.clone(), Arc::clone(&post));
                async move { outbox.carry(&*post, &cursor).await }
            };
            LeasedCursor::run(&node.log, Post::NAME, Begin::AtTheStart, work).await;
        });
        self.lease().await;
        carrying
    }

    async fn lease(&self) -> LeasedCursor {
        eventually("the lane is this node's", || async {
            self.clock.advance(Duration::from_secs(1));
            self.cursor.lock().clone()
        })
        .await
    }

    /// Puts letters, and wakes who carries them.
    pub(crate) async fn put(&self, letters: &[(&str, i64)]) {
        self.write(letters).await;
        self.outbox.wake(Post::NAME);
    }

    /// Puts letters.
    pub(crate) async fn write(&self, letters: &[(&str, i64)]) {
        let letters = letters.iter();
        let letters = letters.map(|(target, pos)| ((*target).to_owned(), Pos::new(*pos)));
        let write = self.outbox.put(LocalWrite::new(), Post::NAME, letters);
        let cursor = self.cursor.lock().clone().unwrap();
        cursor.write_here(write).await.unwrap();
    }

    /// Waits until nothing waits.
    pub(crate) async fn is_empty(&self) {
        eventually("nothing waits", || async {
            let waiting = self.outbox.waiting().await.unwrap();
            let none = waiting
                .iter()
                .all(|lane| (lane.letters, lane.targets) == (0, 0));
            none.then_some(())
        })
        .await;
    }

    /// How often a target failed in a row, and for how long it rests from now on.
    pub(crate) async fn rest(&self, target: &str, failures: i64) -> Duration {
        let claim = format!("{target} has failed {failures} times");
        eventually(&claim, || self.resting(target, failures)).await
    }

    /// For how long a target rests from now on, if it failed so often in a row.
    pub(crate) async fn resting(&self, target: &str, failures: i64) -> Option<Duration> {
        use model::time::{Clock, Timestamp};
        const READ: &str = "SELECT failures, next_at FROM outbox_targets WHERE target = $1";
        let row = self.log.database().query_opt(READ, &[target.into()]).await;
        let row = row.unwrap()?;
        let next_at = Timestamp::from_millis(row.int(1).unwrap());
        (row.int(0).unwrap() == failures).then(|| next_at.since(self.clock.now()))
    }

    /// The dead letters: whom they were for, what they told, and why they died.
    pub(crate) async fn dead(&self) -> Vec<(String, i64, String)> {
        let dead = self.outbox.dead(None, 100).await.unwrap().into_iter();
        dead.map(|letter| (letter.target, letter.pos.get(), letter.fault))
            .collect()
    }
}

impl Post {
    pub(crate) fn new(mood: Mood) -> Self {
        Self {
            mood: Mutex::new(mood),
            moods: Mutex::default(),
            tries: Mutex::default(),
            took: Mutex::default(),
            gate: Notify::new(),
        }
    }

    pub(crate) fn is(&self, mood: Mood) {
        *self.mood.lock() = mood;
    }

    pub(crate) fn is_for(&self, target: &str, mood: Mood) {
        self.moods.lock().insert(target.to_owned(), mood);
    }

    /// Lets one who hesitates take what it was given.
    pub(crate) fn go_on(&self) {
        self.gate.notify_one();
    }

    pub(crate) fn tries(&self) -> u32 {
        *self.tries.lock()
    }

    pub(crate) fn took(&self, target: &str) -> Vec<i64> {
        self.took.lock().get(target).cloned().unwrap_or_default()
    }

    /// Waits until a target has these letters, in this order.
    pub(crate) async fn has(&self, target: &str, expected: Vec<i64>) {
        let claim = format!("{target} has {} letters", expected.len());
        eventually(&claim, || async {
            (self.took(target).len() >= expected.len()).then_some(())
        })
        .await;
        assert_eq!(self.took(target), expected);
    }

    fn take(&self, target: &str, letters: &[Letter]) {
        let positions = letters.iter().map(|letter| letter.pos.get());
        let mut took = self.took.lock();
        took.entry(target.to_owned()).or_default().extend(positions);
    }
}

impl Lane for Post {
    const NAME: &'static str = "post";
    const PATIENCE: Duration = Duration::from_secs(3_600);
    const TOGETHER: u16 = 8;

    async fn deliver(&self, target: &str, letters: &[Letter]) -> Result<Delivered, StoreError> {
        *self.tries.lock() += 1;
        let own = self.moods.lock().get(target).copied();
        let mood = own.unwrap_or_else(|| *self.mood.lock());
        Ok(match mood {
            Mood::Takes => {
                self.take(target, letters);
                Delivered::all(letters)
            }
            Mood::IsAway(after) => Delivered {
                done: 0,
                then: Then::TryAgain {
                    fault: "away".to_owned(),
                    after,
                },
            },
            Mood::Refuses(pos) => {
                let good = letters.iter().position(|letter| letter.pos.get() == pos);
                let (taken, _) = letters.split_at(good.unwrap_or(letters.len()));
                self.take(target, taken);
                let done = taken.len();
                match good {
                    Some(_) => Delivered {
                        done,
                        then: Then::GiveUp {
                            fault: "no".repeat(500),
                        },
                    },
                    None => Delivered::all(letters),
                }
            }
            Mood::IsGone => Delivered {
                done: 0,
                then: Then::Drop,
            },
            Mood::Waits(how_long) => Delivered::waits(0, how_long),
            Mood::Hesitates => {
                self.gate.notified().await;
                self.take(target, letters);
                Delivered::all(letters)
            }
        })
    }
}
