//! A standby that had not received everything follows its primary: the nodes that have seen what
//! is gone notice it, and nobody else does.

use std::time::Duration;

use store::{
    Common, Database, DatabaseOptions, EpochCause, EpochRaise, Epochs, Intent, Location, Pos,
};
use testkit::{eventually, servers::Postgres};

use crate::support::{Node, cells, cells::Act};

/// A primary and a standby that need not have received what was acknowledged.
struct Pair {
    primary: Postgres,
    standby: Postgres,
}

impl Pair {
    async fn start() -> Self {
        blocking(|| {
            let primary = Postgres::start().unwrap();
            let standby = Postgres::start_standby(&primary).unwrap();
            Self { primary, standby }
        })
        .await
    }

    /// Nodes connect to whichever of the two takes writes.
    fn options(&self) -> DatabaseOptions {
        let hosts = [&self.primary, &self.standby].map(|server| {
            let url = server.url();
            url.split(['@', '/']).nth_back(1).unwrap().to_owned()
        });
        let hosts = hosts.join(",");
        DatabaseOptions {
            location: Location::Postgres(format!("postgres://postgres@{hosts}/postgres")),
            server_name: "example.org".to_owned(),
            migrations: vec![cells::MIGRATIONS],
            readers: 4,
        }
    }

    /// From now on the standby receives nothing, once it has what was committed so far.
    async fn part(mut self, head: Pos) -> Self {
        let url = self.standby.url();
        eventually("the standby has everything so far", || async {
            received(&url, head).await.then_some(())
        })
        .await;
        blocking(move || {
            self.standby.stop().unwrap();
            self
        })
        .await
    }

    /// The primary is gone, and the standby takes writes.
    async fn fail_over(mut self) -> Self {
        blocking(move || {
            self.primary.crash().unwrap();
            self.standby.restart().unwrap();
            self.standby.promote().unwrap();
            self
        })
        .await
    }
}

/// Whether a server that can only be read has the log up to there.
async fn received(url: &str, head: Pos) -> bool {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    let sql = "SELECT MAX(last_pos) FROM log";
    let row = client.query_one(sql, &[]).await;
    row.is_ok_and(|row| row.get::<_, Option<i64>>(0) >= Some(head.get()))
}

async fn blocking<T: Send + 'static>(order: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(order).await.unwrap()
}

async fn lost(node: &Node) {
    let history = node.database().history().unwrap().clone();
    tokio::time::timeout(Duration::from_secs(30), history.lost())
        .await
        .expect("the loss is noticed");
}

fn raise(common: Pos) -> EpochRaise {
    EpochRaise {
        common,
        cause: EpochCause::Failover,
    }
}

/// Begins the epoch after a failover: the number of the one that is there then.
async fn begin_epoch(node: &Node, common: Pos) -> i64 {
    let mut intent = Intent::new();
    let raised = intent.add::<Epochs>(raise(common));
    let mut committed = node.log.commit(intent).await.unwrap();
    committed.take(raised).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_has_seen_what_a_failover_lost_serves_nothing_any_more() {
    let pair = Pair::start().await;
    let writer = Node::start(pair.options()).await;
    let reader = Node::start(pair.options()).await;
    for value in 1..=5 {
        writer.act(1, Act::Set(value)).await.unwrap();
    }
    let kept = writer.log.applied();
    let pair = pair.part(kept).await;
    for value in 6..=9 {
        writer.act(1, Act::Set(value)).await.unwrap();
    }
    assert_eq!(reader.read(1).await.unwrap(), Some(9));
    let pair = pair.fail_over().await;

    // Whatever is asked first at either.
    writer.act(1, Act::Set(10)).await.unwrap_err();
    lost(&writer).await;
    reader.read(1).await.unwrap_err();
    lost(&reader).await;
    writer.log.barrier().await.unwrap_err();
    writer.act(1, Act::Set(10)).await.unwrap_err();
    writer.database().snapshot().await.err().unwrap();

    // Who starts in their place finds by their marks what both histories have in common.
    let marks = writer.database().history().unwrap().marks();
    let (one, other) = (
        Node::start(pair.options()).await,
        Node::start(pair.options()).await,
    );
    assert_eq!(one.read(1).await.unwrap(), Some(5));
    let common = one.database().common_with(&marks).await.unwrap();
    assert_eq!(common, Common::UpTo(kept));
    let epoch = begin_epoch(&one, kept).await;
    assert_eq!(begin_epoch(&other, kept).await, epoch, "it begins once");
    let snapshot = other.database().snapshot().await.unwrap();
    assert_eq!(snapshot.epoch(), epoch);
    assert_eq!(snapshot.common_history(1).await.unwrap(), kept);
    other.act(1, Act::Add(1)).await.unwrap();
    assert_eq!(one.read(1).await.unwrap(), Some(6));
    let marks = one.database().history().unwrap().some_marks();
    assert_eq!(
        one.database().common_with(&marks).await.unwrap(),
        Common::All
    );
}

/// Another failover is another epoch, however often the one before is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_epoch_begins_for_each_history_that_was_lost() {
    let db = crate::support::Db::postgres().await;
    let node = db.node().await;
    for value in 1..=9 {
        node.act(1, Act::Set(value)).await.unwrap();
    }
    let first = begin_epoch(&node, Pos::new(7)).await;
    assert_eq!(begin_epoch(&node, Pos::new(7)).await, first);
    assert_eq!(begin_epoch(&node, Pos::new(8)).await, first);
    // Somebody knows of less that is common.
    let second = begin_epoch(&node, Pos::new(3)).await;
    assert!(second > first);
    // Behind both.
    node.act(1, Act::Set(10)).await.unwrap();
    let head = node.log.applied();
    let third = begin_epoch(&node, head).await;
    assert!(third > second);
    assert_eq!(begin_epoch(&node, head).await, third);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_failover_that_lost_nothing_is_no_loss() {
    let pair = Pair::start().await;
    let node = Node::start(pair.options()).await;
    node.act(1, Act::Set(1)).await.unwrap();
    let pair = pair.part(node.log.applied()).await;
    let _pair = pair.fail_over().await;
    eventually("the node has found the new primary", || async {
        node.act(1, Act::Add(1)).await.ok()
    })
    .await;
    assert_eq!(node.read(1).await.unwrap(), Some(2));
    assert!(!node.database().history().unwrap().is_lost());
}

/// What a reading found is seen, also where the log was not looked at since.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_reading_found_is_seen() {
    let db = crate::support::Db::postgres().await;
    let (writer, reader) = (db.node().await, db.node().await);
    let seen = |node: &Node| {
        let history = node.database().history().unwrap();
        history.marks().last().copied()
    };
    writer.act(1, Act::Set(1)).await.unwrap();
    let _snapshot = reader.database().snapshot().await.unwrap();
    assert_eq!(seen(&reader), seen(&writer));
    writer.act(1, Act::Set(2)).await.unwrap();
    assert_eq!(reader.stored(1).await, Some(2));
    assert_eq!(seen(&reader), seen(&writer));
    assert!(seen(&reader).is_some());
}

/// Marks of long ago tell what is common when all that was seen lately is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_history_from_long_before_is_recognised() {
    let db = crate::support::Db::postgres().await;
    let node = db.node().await;
    for value in 1..=70 {
        node.act(1, Act::Set(value)).await.unwrap();
    }
    // One that starts now has seen the last batch alone, and reads some of those before.
    let later = db.node().await;
    let marks = later.database().history().unwrap().some_marks();
    let positions: Vec<i64> = marks.iter().map(|mark| mark.pos().get()).collect();
    assert_eq!(positions, [6, 38, 54, 62, 66, 68, 69, 70]);
    let other = crate::support::Db::postgres().await;
    let elsewhere = other.node().await;
    let common = |database: Database, marks: Vec<store::Mark>| async move {
        database.common_with(&marks).await.unwrap()
    };
    let elsewhere = elsewhere.database().clone();
    assert_eq!(
        common(elsewhere.clone(), marks.clone()).await,
        Common::UpTo(Pos::START)
    );
    assert_eq!(common(node.database().clone(), marks).await, Common::All);
    assert_eq!(common(elsewhere, Vec::new()).await, Common::All);
}
