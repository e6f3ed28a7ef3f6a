//! A database that an older program wrote.

use std::sync::Arc;

use rooms::MIGRATIONS;
use store::{LocalWrite, LogBuilder, Migrations};

use crate::harness::{Bench, conformance};

const OLD_EVENT: &str = "INSERT INTO events (event_id, room, pos, ord, depth, type, sender, ts, \
     has_url, rejected, sealed) VALUES ($1, 1, $2, $2, $2, 'm.room.message', 1, 5, 0, 0, $3)";

const OLD_TRANSACTION: &str = "INSERT INTO transactions (hash, event_id, at) VALUES ($1, $2, 5)";

const CARRIED: &str = "SELECT e.event_id, e.ord, e.sealed, t.hash FROM events e \
     LEFT JOIN transactions t ON t.pos = e.pos ORDER BY e.pos";

conformance! {
    async fn events_and_transactions_are_carried_over(bench) {
        let schema = Migrations { owner: "rooms", steps: &MIGRATIONS.steps[..1] };
        let old = bench.open(schema).await;
        let log = LogBuilder::new(old, Arc::new(bench.clock.clone())).start().await.unwrap();
        let hash: Vec<u8> = (0..32).collect();
        let write = LocalWrite::new()
            .and(OLD_EVENT, vec!["$later".into(), 9.into(), vec![2].into()])
            .and(OLD_EVENT, vec!["$first".into(), 4.into(), vec![1].into()])
            .and(OLD_TRANSACTION, vec![hash.clone().into(), "$later".into()]);
        log.write_local(write).await.unwrap();
        log.stop().await;
        drop(log);
        let new = bench.open(MIGRATIONS).await;
        let rows = new.query(CARRIED, &[]).await.unwrap();
        assert_eq!(rows.len(), 2);
        let of = |row: &store::Row| (row.text(0).unwrap().to_owned(), row.int(1).unwrap());
        assert_eq!(of(&rows[0]), ("$first".to_owned(), 4));
        assert_eq!(of(&rows[1]), ("$later".to_owned(), 9));
        assert_eq!(rows[0].bytes(2).unwrap(), [1]);
        assert_eq!(rows[0].opt_bytes(3).unwrap(), None);
        assert_eq!(rows[1].bytes(3).unwrap(), &hash[..16]);
    }
}
