//! Writes outside the log: in one transaction of their own, beside it.

use futures_util::future::join_all;
use store::LocalWrite;

use crate::support::{Db, Node, cells::Act};

const ADD: &str = "INSERT INTO scratch (id, note) VALUES ($1, $2) RETURNING id";

async fn notes(node: &Node) -> usize {
    let rows = node.database().query("SELECT id FROM scratch", &[]).await;
    rows.unwrap().len()
}

conformance! {
    async fn a_local_write_stands_as_a_whole_and_moves_no_position(db: Db) {
        let node = db.node().await;
        let write = LocalWrite::new()
            .and(ADD, vec![1.into(), "a".into()])
            .and(ADD, vec![2.into(), "b".into()]);
        let answers = node.log.write_local(write).await.unwrap();
        assert_eq!(answers[1][0].int(0).unwrap(), 2);
        assert_eq!(notes(&node).await, 2);
        assert!(node.batches().await.is_empty());
    }

    async fn a_local_write_that_fails_leaves_nothing_and_harms_nobody(db: Db) {
        let node = db.node().await;
        let write = LocalWrite::new()
            .and(ADD, vec![1.into(), "a".into()])
            .and(ADD, vec![1.into(), "again".into()]);
        assert!(node.log.write_local(write).await.is_err());
        assert_eq!(notes(&node).await, 0);
        node.act(1, Act::Set(1)).await.unwrap();
        let write = LocalWrite::new().and(ADD, vec![1.into(), "a".into()]);
        node.log.write_local(write).await.unwrap();
        assert_eq!(notes(&node).await, 1);
    }

    async fn one_of_many_local_writes_fails_alone(db: Db) {
        let node = db.node().await;
        let write = |id: i64| LocalWrite::new().and(ADD, vec![id.into(), "a".into()]);
        node.log.write_local(write(7)).await.unwrap();
        let writing = (1..=20).map(|id| node.log.write_local(write(id)));
        let answers = join_all(writing).await;
        let refused: Vec<_> = (1..).zip(&answers).filter(|(_, answer)| answer.is_err()).collect();
        assert_eq!(refused.len(), 1);
        assert_eq!(refused[0].0, 7);
        assert_eq!(notes(&node).await, 20);
    }
}
