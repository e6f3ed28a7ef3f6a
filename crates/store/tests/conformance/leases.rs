//! Background work along the log: where it begins, how it goes on, and whose it is.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use store::{Begin, LeasedCursor, LocalWrite, Pos, StoreError};
use testkit::eventually;
use tokio::task::JoinHandle;

use crate::support::{Db, Node, cells::Act};

const ADD: &str = "INSERT INTO scratch (id, note) VALUES ($1, $2)";

/// Work that hands its cursor out and waits.
struct Holding {
    held: Arc<Mutex<Vec<LeasedCursor>>>,
    running: JoinHandle<()>,
}

impl Holding {
    fn begin(node: &Node, begin: Begin) -> Self {
        let held: Arc<Mutex<Vec<LeasedCursor>>> = Arc::default();
        let (log, out) = (node.log.clone(), Arc::clone(&held));
        let running = tokio::spawn(async move {
            let work = |cursor: LeasedCursor| {
                out.lock().push(cursor);
                std::future::pending::<Result<(), StoreError>>()
            };
            LeasedCursor::run(&log, "watering", begin, work).await;
        });
        Self { held, running }
    }

    async fn cursor(&self) -> LeasedCursor {
        eventually("the work is this node's", || async { self.last() }).await
    }

    fn last(&self) -> Option<LeasedCursor> {
        self.held.lock().last().cloned()
    }

    /// Ends it as a crash does: nothing is given back.
    fn crash(self) -> LeasedCursor {
        self.running.abort();
        self.last().expect("it held the lease")
    }
}

fn note(id: i64) -> LocalWrite {
    LocalWrite::new().and(ADD, vec![id.into(), "watered".into()])
}

async fn notes(node: &Node) -> Vec<i64> {
    let rows = node
        .database()
        .query("SELECT id FROM scratch ORDER BY id", &[])
        .await;
    rows.unwrap()
        .iter()
        .map(|row| row.int(0).unwrap())
        .collect()
}

conformance! {
    async fn work_begins_at_the_start_or_at_the_head(db: Db) {
        let node = db.node().await;
        node.act(1, Act::Set(1)).await.unwrap();
        let old = Holding::begin(&node, Begin::AtTheStart);
        assert_eq!(old.cursor().await.pos(), Pos::START);
        assert_eq!(old.cursor().await.more().await.unwrap(), Pos::new(1));
        drop(old.crash());
        let log = node.log.clone();
        let (sender, begun) = tokio::sync::oneshot::channel();
        let sender = Mutex::new(Some(sender));
        let work = async move {
            let work = |cursor: LeasedCursor| {
                let sender = sender.lock().take();
                async move {
                    if let Some(sender) = sender {
                        sender.send(cursor.pos()).unwrap();
                    }
                    std::future::pending().await
                }
            };
            LeasedCursor::run(&log, "weeding", Begin::AtTheHead, work).await;
        };
        let running = tokio::spawn(work);
        assert_eq!(begun.await.unwrap(), Pos::new(1));
        running.abort();
    }

    async fn a_write_and_the_cursor_move_together(db: Db) {
        let node = db.node().await;
        node.act(1, Act::Set(1)).await.unwrap();
        let holding = Holding::begin(&node, Begin::AtTheStart);
        let cursor = holding.cursor().await;
        cursor.write(note(1), Pos::new(1)).await.unwrap();
        assert_eq!(cursor.pos(), Pos::new(1));
        // The same row again: neither stands.
        assert!(cursor.write(note(1), Pos::new(2)).await.is_err());
        assert_eq!(cursor.pos(), Pos::new(1));
        cursor.write_here(note(2)).await.unwrap();
        assert_eq!(notes(&node).await, [1, 2]);
        drop(holding.crash());
        let again = Holding::begin(&node, Begin::AtTheStart);
        eventually("the work is found where it stood", || async {
            node.clock.advance(Duration::from_secs(1));
            again.last().filter(|cursor| cursor.pos() == Pos::new(1))
        })
        .await;
    }

    async fn more_waits_until_the_log_has_gone_on(db: Db) {
        let node = db.node().await;
        let holding = Holding::begin(&node, Begin::AtTheStart);
        let cursor = holding.cursor().await;
        let mut waiting = Box::pin(cursor.more());
        let early = tokio::time::timeout(Duration::from_millis(50), &mut waiting).await;
        assert!(early.is_err(), "there is nothing yet");
        node.act(1, Act::Set(1)).await.unwrap();
        assert_eq!(waiting.await.unwrap(), Pos::new(1));
        cursor.pass(Pos::new(1));
        let idle = tokio::time::timeout(Duration::from_millis(50), cursor.more()).await;
        assert!(idle.is_err(), "what was passed over is not told again");
    }

    async fn who_was_overtaken_writes_nothing(db: Db) {
        let node = db.node().await;
        let frozen = Holding::begin(&node, Begin::AtTheStart);
        frozen.cursor().await;
        let frozen = frozen.crash();
        let next = Holding::begin(&node, Begin::AtTheStart);
        let next = eventually("the work is taken over", || async {
            node.clock.advance(Duration::from_secs(1));
            next.last()
        })
        .await;
        let refused = frozen.write(note(1), Pos::new(1)).await;
        assert!(matches!(refused, Err(StoreError::TakenOver)), "{refused:?}");
        let refused = frozen.write_here(note(1)).await;
        assert!(matches!(refused, Err(StoreError::TakenOver)), "{refused:?}");
        assert_eq!(notes(&node).await, [0; 0]);
        next.write_here(note(2)).await.unwrap();
        assert_eq!(notes(&node).await, [2]);
    }

    async fn who_writes_beside_the_work_needs_no_lease_but_the_work_must_exist(db: Db) {
        let node = db.node().await;
        let nobody = LeasedCursor::write_beside(&node.log, "watering", note(1)).await;
        assert!(matches!(nobody, Err(StoreError::TakenOver)), "{nobody:?}");
        let holding = Holding::begin(&node, Begin::AtTheStart);
        let cursor = holding.cursor().await;
        LeasedCursor::write_beside(&node.log, "watering", note(2)).await.unwrap();
        cursor.write_here(note(3)).await.unwrap();
        assert_eq!(notes(&node).await, [2, 3]);
    }

    async fn work_that_fails_begins_again(db: Db) {
        let node = db.node().await;
        let times: Arc<Mutex<u32>> = Arc::default();
        let (log, counted) = (node.log.clone(), Arc::clone(&times));
        let running = tokio::spawn(async move {
            let work = |_: LeasedCursor| {
                *counted.lock() += 1;
                async { Err(StoreError::Refused("the can is empty".to_owned())) }
            };
            LeasedCursor::run(&log, "watering", Begin::AtTheStart, work).await;
        });
        eventually("it is tried three times", || async {
            node.clock.advance(Duration::from_secs(1));
            (*times.lock() >= 3).then_some(())
        })
        .await;
        running.abort();
    }
}

async fn beats(node: &Node) -> i64 {
    let beats = "SELECT beats FROM leases WHERE name = 'watering'";
    let row = node.database().query_opt(beats, &[]).await.unwrap();
    row.expect("the work exists").int(0).unwrap()
}

/// Two nodes, which only PostgreSQL permits.
mod two {
    use super::*;

    #[tokio::test]
    async fn one_of_two_nodes_works_and_the_other_follows_when_it_is_gone() {
        let db = Db::postgres().await;
        let (one, two) = (db.node().await, db.node().await);
        let first = Holding::begin(&one, Begin::AtTheStart);
        let cursor = first.cursor().await;
        let second = Holding::begin(&two, Begin::AtTheStart);
        for _ in 0..20 {
            // The holder beats, then the other looks.
            let before = beats(&one).await;
            eventually("the holder beats", || async {
                one.clock.advance(Duration::from_secs(1));
                (beats(&one).await > before).then_some(())
            })
            .await;
            two.clock.advance(Duration::from_secs(1));
            assert!(second.last().is_none(), "the holder lives");
        }
        cursor.write(note(1), Pos::new(0)).await.unwrap();
        drop(first.crash());
        let taken = eventually("the other takes over", || async {
            two.clock.advance(Duration::from_secs(1));
            second.last()
        })
        .await;
        taken.write_here(note(2)).await.unwrap();
        assert_eq!(notes(&one).await, [1, 2]);
        assert!(cursor.write_here(note(3)).await.is_err());
    }

    #[tokio::test]
    async fn a_node_that_stops_gives_its_work_back() {
        let db = Db::postgres().await;
        let (one, two) = (db.node().await, db.node().await);
        let first = Holding::begin(&one, Begin::AtTheStart);
        first.cursor().await;
        drop(first.crash());
        one.log.stop().await;
        // At once, without any time.
        Holding::begin(&two, Begin::AtTheStart).cursor().await;
    }
}
