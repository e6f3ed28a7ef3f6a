//! How a batch changes the tables of files.

use std::sync::Arc;

use async_trait::async_trait;
use seal::{Keyring, Scope};
use store::{Applier, CheckContext, Insert, StoreError, Tx, Value, Verdict, Writes};

use crate::{
    change::{Change, Outcome, Placed, Refusal},
    rows,
    work::{Pending, Work},
};

/// Changes the tables of files.
pub(crate) struct MediaRows {
    keyring: Keyring,
}

impl MediaRows {
    pub(crate) fn new(keyring: Keyring) -> Self {
        Self { keyring }
    }
}

#[async_trait]
impl Applier for MediaRows {
    type Change = Arc<Change>;
    type Outcome = Outcome;
    type Refusal = Refusal;
    type Work = Work;

    const KIND: &'static str = "media";

    fn size_bytes(change: &Self::Change) -> usize {
        change.size_bytes()
    }

    async fn prepare(&self, tx: &Tx, changes: &[&Self::Change]) -> Result<Work, StoreError> {
        let owners: Vec<_> = changes.iter().filter_map(|change| change.owner()).collect();
        let names: Vec<&str> = owners.iter().map(|owner| owner.as_str()).collect();
        let ids = tx.intern_users(&names).await?;
        let users = owners.into_iter().cloned().zip(ids).collect();
        let mut work = Work::new(users);
        let sealing = changes.iter().filter_map(|change| match &***change {
            Change::Add(file) => work.user(&file.owner),
            Change::Thumbnail(rendition) => Some(rendition.owner),
            Change::Reserve(_) | Change::Forget(_) | Change::Tidy { .. } => None,
        });
        let scopes: Vec<Scope> = sealing.map(Scope::User).collect();
        work.keys = Some(self.keyring.keys_in(tx, scopes).await?);
        work.load(tx, changes).await?;
        Ok(work)
    }

    fn check(
        &self,
        work: &mut Work,
        change: &Self::Change,
        context: &mut CheckContext<'_>,
    ) -> Result<Verdict<Outcome>, Refusal> {
        let outcome = work.check(change, context)?;
        if matches!(outcome, Outcome::MadeBefore | Outcome::Forgotten(0)) {
            return Ok(Verdict::Nothing(outcome));
        }
        work.rows.push(Placed {
            change: Arc::clone(change),
            pos: context.pos().get(),
            at: context.now().as_millis(),
        });
        Ok(Verdict::Apply(outcome))
    }

    fn settle(&self, work: &mut Work, keep: bool) {
        work.settle(keep);
    }

    fn write(&self, work: &mut Work, writes: &mut Writes) -> Result<(), StoreError> {
        let (mut files, mut thumbnails) = (Vec::new(), Vec::new());
        for placed in work.rows.kept() {
            match &*placed.change {
                Change::Add(file) => {
                    let owner = work.user(&file.owner).ok_or_else(not_interned)?;
                    let row = rows::file(work.keys()?, owner, file, placed)?;
                    files.push(row);
                }
                Change::Thumbnail(rendition) => {
                    thumbnails.push(rows::thumbnail(work.keys()?, rendition, placed)?);
                }
                Change::Tidy { expired_before } => {
                    let before = expired_before.as_millis();
                    writes.execute(rows::FORGET_EXPIRED, vec![before.into()]);
                    writes.execute(rows::FORGET_THUMBNAILS, Vec::new());
                }
                Change::Forget(_) | Change::Reserve(_) => {}
            }
        }
        for id in work.files.deleted() {
            writes.execute(rows::FORGET_FILE, vec![id.as_str().into()]);
        }
        writes.insert(&rows::FILES, files);
        writes.insert(&rows::THUMBNAILS, thumbnails);
        writes.insert(&PENDING, work.pending.written().map(pending).collect());
        for id in work.pending.deleted() {
            writes.execute(FORGET_PENDING, vec![id.as_str().into()]);
        }
        let usage = work.usage.written().map(|(owner, usage)| {
            let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
            vec![
                (*owner).into(),
                count(usage.files).into(),
                count(usage.size_bytes).into(),
            ]
        });
        writes.insert(&USAGE, usage.collect());
        Ok(())
    }
}

fn not_interned() -> StoreError {
    StoreError::Damaged("the owner of a file was not interned".to_owned())
}

fn pending((id, pending): (&String, &Pending)) -> Vec<Value> {
    vec![
        id.as_str().into(),
        pending.pos.into(),
        pending.owner.into(),
        pending.expires_at.into(),
    ]
}

const FORGET_PENDING: &str = "DELETE FROM media_pending WHERE id = $1";

const PENDING: Insert = Insert {
    table: "media_pending",
    columns: &[
        ("id", store::ColumnType::Text),
        ("pos", store::ColumnType::Int),
        ("owner", store::ColumnType::Int),
        ("expires_at", store::ColumnType::Int),
    ],
    on_conflict: "",
};

const USAGE: Insert = Insert {
    table: "media_usage",
    columns: &[
        ("owner", store::ColumnType::Int),
        ("files", store::ColumnType::Int),
        ("size_bytes", store::ColumnType::Int),
    ],
    on_conflict: "ON CONFLICT (owner) DO UPDATE SET \
         files = excluded.files, size_bytes = excluded.size_bytes",
};
