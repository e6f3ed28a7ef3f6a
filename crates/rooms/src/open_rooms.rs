//! Which rooms anybody may join or read: an index in memory, made from sealed rows.
//!
//! Each reading asks for what has changed since the one before, by position. So the index is true
//! at every node, whoever wrote.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Deserialize;
use store::{Row, Snapshot, StoreError};
use tokio::sync::Mutex;

use crate::{Rooms, stored::open_contents};

/// How many changes are read and opened together.
const CHANGES_AT_ONCE: usize = 512;

const CHANGES: &str = "SELECT e.event_id, e.sealed, s.pos, s.room, s.type FROM state_changes s \
     JOIN events e ON e.event_id = s.event_id \
     WHERE s.type IN ('m.room.join_rules', 'm.room.history_visibility') AND s.state_key = '' \
     AND s.pos > $1 AND s.pos <= $2 ORDER BY s.pos LIMIT $3";

/// The index, and up to where it follows the log.
#[derive(Default)]
pub(crate) struct OpenRooms(Mutex<Indexed>);

#[derive(Default)]
struct Indexed {
    upto: i64,
    openness: BTreeMap<i64, Openness>,
    open: Arc<BTreeSet<i64>>,
}

/// In which ways a room is open to everybody.
#[derive(Clone, Copy, Default)]
struct Openness {
    to_join: bool,
    to_read: bool,
}

/// The part of the two contents that tells.
#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    join_rule: Option<String>,
    #[serde(default)]
    history_visibility: Option<String>,
}

impl Rooms {
    /// The rooms that anybody may join or read, as they stand in the snapshot or later.
    pub async fn open_rooms(&self, snapshot: &Snapshot) -> Result<Arc<BTreeSet<i64>>, StoreError> {
        let head = snapshot.head().get();
        let mut indexed = self.open_index().0.lock().await;
        while indexed.upto < head {
            let params = [
                indexed.upto.into(),
                head.into(),
                (CHANGES_AT_ONCE as i64).into(),
            ];
            let rows = snapshot.query(CHANGES, &params).await?;
            let contents = open_contents(snapshot, self.keyring(), &rows).await?;
            let upto = match rows.last() {
                Some(last) if rows.len() == CHANGES_AT_ONCE => last.int(2)?,
                _ => head,
            };
            indexed.take(&rows, &contents)?;
            indexed.upto = upto;
        }
        Ok(Arc::clone(&indexed.open))
    }
}

impl Indexed {
    fn take(&mut self, rows: &[Row], contents: &[Option<Content>]) -> Result<(), StoreError> {
        for (row, content) in rows.iter().zip(contents) {
            let (room, kind) = (row.int(3)?, row.text(4)?);
            let openness = self.openness.entry(room).or_default();
            let said = content.as_ref();
            match kind {
                "m.room.join_rules" => {
                    let rule = said.and_then(|content| content.join_rule.as_deref());
                    openness.to_join = rule == Some("public");
                }
                _ => {
                    let visibility = said.and_then(|content| content.history_visibility.as_deref());
                    openness.to_read = visibility == Some("world_readable");
                }
            }
            let is_open = openness.to_join || openness.to_read;
            if is_open != self.open.contains(&room) {
                let open = Arc::make_mut(&mut self.open);
                match is_open {
                    true => open.insert(room),
                    false => open.remove(&room),
                };
            }
        }
        Ok(())
    }
}
