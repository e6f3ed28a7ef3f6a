//! The rows of files: how a batch adds them, how one is read.

use std::{collections::HashMap, convert::Infallible, sync::Arc};

use async_trait::async_trait;
use blobs::BlobId;
use ruma::OwnedUserId;
use seal::{FileKey, KeySet, Keyring, Place, Scope, SealError};
use store::{
    Applier, CheckContext, ColumnType, Insert, Row, Snapshot, StoreError, Tx, Value, Verdict,
    Writes,
};

use crate::MediaId;

/// Adds the rows of uploaded files.
pub(crate) struct MediaRows {
    keyring: Keyring,
}

/// A file whose blob is durable.
pub(crate) struct Uploaded {
    pub(crate) id: MediaId,
    pub(crate) owner: OwnedUserId,
    pub(crate) blob: BlobId,
    pub(crate) size_bytes: u64,
    pub(crate) key: FileKey,
    pub(crate) content_type: Option<String>,
    pub(crate) file_name: Option<String>,
}

pub(crate) struct Work {
    users: HashMap<OwnedUserId, i64>,
    keys: KeySet,
    staged: Vec<Staged>,
    kept: Vec<Staged>,
}

struct Staged {
    file: Arc<Uploaded>,
    pos: i64,
    at: i64,
}

/// A row, opened.
pub(crate) struct Found {
    pub(crate) blob: BlobId,
    pub(crate) size_bytes: u64,
    pub(crate) key: FileKey,
    pub(crate) content_type: Option<String>,
    pub(crate) file_name: Option<String>,
}

impl MediaRows {
    pub(crate) fn new(keyring: Keyring) -> Self {
        Self { keyring }
    }
}

const INSERT: Insert = Insert {
    table: "media",
    columns: &[
        ("id", ColumnType::Text),
        ("pos", ColumnType::Int),
        ("owner", ColumnType::Int),
        ("blob", ColumnType::Text),
        ("size_bytes", ColumnType::Int),
        ("created_at", ColumnType::Int),
        ("file_key", ColumnType::Bytes),
        ("content_type", ColumnType::Bytes),
        ("file_name", ColumnType::Bytes),
    ],
    on_conflict: "",
};

#[async_trait]
impl Applier for MediaRows {
    type Change = Arc<Uploaded>;
    type Outcome = ();
    type Refusal = Infallible;
    type Work = Work;

    const KIND: &'static str = "media";

    fn size_bytes(change: &Self::Change) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        512 + text(&change.content_type) + text(&change.file_name)
    }

    async fn prepare(&self, tx: &Tx, changes: &[&Self::Change]) -> Result<Work, StoreError> {
        let owners: Vec<&str> = changes.iter().map(|file| file.owner.as_str()).collect();
        let ids = tx.intern_users(&owners).await?;
        let scopes = ids.iter().map(|id| Scope::User(*id));
        let keys = self.keyring.keys_in(tx, scopes).await?;
        let owners = changes.iter().map(|file| file.owner.clone());
        Ok(Work {
            users: owners.zip(ids.iter().copied()).collect(),
            keys,
            staged: Vec::new(),
            kept: Vec::new(),
        })
    }

    fn check(
        &self,
        work: &mut Work,
        change: &Self::Change,
        context: &mut CheckContext<'_>,
    ) -> Result<Verdict<()>, Infallible> {
        work.staged.push(Staged {
            file: Arc::clone(change),
            pos: context.pos().get(),
            at: context.now().as_millis(),
        });
        Ok(Verdict::Apply(()))
    }

    fn settle(&self, work: &mut Work, keep: bool) {
        let staged = std::mem::take(&mut work.staged);
        if keep {
            work.kept.extend(staged);
        }
    }

    fn write(&self, work: &mut Work, writes: &mut Writes) -> Result<(), StoreError> {
        let rows: Result<Vec<_>, _> = work.kept.iter().map(|staged| work.row(staged)).collect();
        writes.insert(&INSERT, rows?);
        Ok(())
    }
}

impl Work {
    fn row(&self, Staged { file, pos, at }: &Staged) -> Result<Vec<Value>, StoreError> {
        let id = file.id.as_str();
        let owner = self.users.get(&file.owner).copied().ok_or_else(|| {
            StoreError::Damaged("the owner of a file was not interned".to_owned())
        })?;
        let seal = |column, plain: &[u8]| {
            let scope = Scope::User(owner);
            self.keys.seal(scope, place(column, id), plain)
        };
        let text = |column, text: &Option<String>| {
            let sealed = text.as_ref().map(|text| seal(column, text.as_bytes()));
            sealed.transpose()
        };
        let size_bytes = i64::try_from(file.size_bytes)
            .map_err(|_| StoreError::Refused("a file is past all bounds".to_owned()))?;
        Ok(vec![
            id.into(),
            (*pos).into(),
            owner.into(),
            file.blob.to_string().into(),
            size_bytes.into(),
            (*at).into(),
            seal("file_key", file.key.as_bytes())?.into(),
            text("content_type", &file.content_type)?.into(),
            text("file_name", &file.file_name)?.into(),
        ])
    }
}

fn place<'a>(column: &'static str, id: &'a str) -> Place<'a> {
    Place {
        table: "media",
        column,
        id,
    }
}

const READ: &str =
    "SELECT blob, size_bytes, file_key, content_type, file_name FROM media WHERE id = $1";

/// Reads a file's row and opens it; `None` when there is none.
pub(crate) async fn find(
    snapshot: &Snapshot,
    keyring: &Keyring,
    id: &MediaId,
) -> Result<Option<Found>, SealError> {
    let Some(row) = snapshot.query_opt(READ, &[id.as_str().into()]).await? else {
        return Ok(None);
    };
    let sealed = [Some(row.bytes(2)?), row.opt_bytes(3)?, row.opt_bytes(4)?];
    let sealed = sealed.into_iter().flatten();
    let keys = keyring.keys_of(snapshot, sealed).await?;
    opened(&row, &keys, id.as_str()).map(Some)
}

fn opened(row: &Row, keys: &KeySet, id: &str) -> Result<Found, SealError> {
    let damaged = |what: &str| StoreError::Damaged(format!("a file's {what} is none"));
    let text = |index, column| -> Result<Option<String>, SealError> {
        let Some(sealed) = row.opt_bytes(index)? else {
            return Ok(None);
        };
        let plain = keys.open(place(column, id), sealed)?;
        let text = String::from_utf8(plain).map_err(|_| damaged(column))?;
        Ok(Some(text))
    };
    let blob = row.text(0)?.parse().map_err(|_| damaged("blob"))?;
    let size_bytes = u64::try_from(row.int(1)?).map_err(|_| damaged("size"))?;
    let key = zeroize::Zeroizing::new(keys.open(place("file_key", id), row.bytes(2)?)?);
    Ok(Found {
        blob,
        size_bytes,
        key: FileKey::from_bytes(&key)?,
        content_type: text(3, "content_type")?,
        file_name: text(4, "file_name")?,
    })
}
