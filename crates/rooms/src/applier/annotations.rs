//! Annotations: nobody says the same of an event twice, until the first is redacted.

use std::collections::BTreeSet;

use futures_util::future::try_join_all;
use store::{ColumnType, Insert, Layered, Pos, StoreError, Tx, Writes};

use super::RoomsWork;
use crate::change::AnnotationHash;

const FIND: &str = "SELECT hash, pos FROM annotations WHERE hash = $1";
const FIND_AT: &str = "SELECT hash, pos FROM annotations WHERE pos = $1";
const FORGET: &str = "DELETE FROM annotations WHERE pos = $1";

static ANNOTATIONS: Insert = Insert {
    table: "annotations",
    columns: &[("pos", ColumnType::Int), ("hash", ColumnType::Bytes)],
    on_conflict: "",
};

/// Whether annotations stand already that are to be made, or that are to be redacted.
pub(super) async fn find(
    tx: &Tx,
    made: &BTreeSet<AnnotationHash>,
    redacted: impl Iterator<Item = Pos>,
) -> Result<Layered<AnnotationHash, Option<Pos>>, StoreError> {
    let made = made.iter().map(|hash| (FIND, hash[..].into()));
    let redacted = redacted.map(|pos| (FIND_AT, pos.get().into()));
    let finding = made
        .chain(redacted)
        .map(|(sql, key)| async move { tx.query_opt(sql, &[key]).await });
    let mut found = Layered::default();
    for row in try_join_all(finding).await?.into_iter().flatten() {
        let hash = AnnotationHash::try_from(row.bytes(0)?);
        let hash = hash.map_err(|_| StoreError::Damaged("annotations.hash".to_owned()))?;
        found.load(hash, Some(Pos::new(row.int(1)?)));
    }
    Ok(found)
}

impl RoomsWork {
    /// Whether somebody has said so already.
    pub(super) fn has_annotation(&self, hash: &AnnotationHash) -> bool {
        self.annotations.get(hash).is_some_and(Option::is_some)
    }

    /// Notes that somebody says so.
    pub(super) fn annotate(&mut self, hash: AnnotationHash, pos: Pos) {
        self.annotations.stage(hash, Some(pos));
        self.rows.annotations.push((hash, pos));
    }

    /// An event is redacted: if it was an annotation, it may be made again.
    pub(super) fn forget_annotation(&mut self, pos: Pos) {
        // What is staged is of the redaction itself, so what is kept is all.
        let standing = self.annotations.iter();
        let mut standing = standing.filter(|(_, at)| **at == Some(pos));
        let hash = standing.next().map(|(hash, _)| *hash);
        drop(standing);
        if let Some(hash) = hash {
            self.annotations.stage(hash, None);
            self.rows.lost_annotations.push(pos);
        }
    }
}

pub(super) fn write(mut made: Vec<(AnnotationHash, Pos)>, lost: Vec<Pos>, writes: &mut Writes) {
    // What was made and redacted in one batch is not written: it may have been made again in it.
    made.retain(|(_, pos)| !lost.contains(pos));
    for pos in lost {
        writes.execute(FORGET, vec![pos.get().into()]);
    }
    let rows = made.into_iter();
    let rows = rows.map(|(hash, pos)| vec![pos.get().into(), hash[..].into()]);
    writes.insert(&ANNOTATIONS, rows.collect());
}
