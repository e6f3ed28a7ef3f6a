//! Writes outside the log: in one transaction of their own, beside it.

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
}
