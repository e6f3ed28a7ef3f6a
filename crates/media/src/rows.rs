//! The rows of files and thumbnails: how each is written, and how it is read.

use blobs::BlobId;
use seal::{FileKey, KeySet, Keyring, Place, Scope, SealError};
use store::{ColumnType, Insert, Reader, Row, Snapshot, StoreError, Value};

use crate::{
    MediaId, Usage,
    change::{Placed, Rendition, Uploaded},
    reserve::MAX_PENDING,
    thumbnail::Size,
    work::{Pending, SizedFile},
};

/// A row, opened.
pub(crate) struct Found {
    pub(crate) owner: i64,
    pub(crate) blob: BlobId,
    pub(crate) size_bytes: u64,
    pub(crate) key: FileKey,
    pub(crate) content_type: Option<String>,
    pub(crate) file_name: Option<String>,
}

pub(crate) const FILES: Insert = Insert {
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

pub(crate) const THUMBNAILS: Insert = Insert {
    table: "media_thumbnails",
    columns: &[
        ("media", ColumnType::Text),
        ("width", ColumnType::Int),
        ("height", ColumnType::Int),
        ("method", ColumnType::Text),
        ("pos", ColumnType::Int),
        ("blob", ColumnType::Text),
        ("size_bytes", ColumnType::Int),
        ("created_at", ColumnType::Int),
        ("file_key", ColumnType::Bytes),
        ("content_type", ColumnType::Bytes),
    ],
    on_conflict: "",
};

/// Forgets ids that have expired.
pub(crate) const FORGET_EXPIRED: &str = "DELETE FROM media_pending WHERE expires_at < $1";

/// Forgets thumbnails of files that are gone.
pub(crate) const FORGET_THUMBNAILS: &str = "DELETE FROM media_thumbnails WHERE NOT EXISTS \
     (SELECT 1 FROM media WHERE media.id = media_thumbnails.media)";

/// Forgets a file. Its blob goes with the next sweep, its thumbnails with the next tidying.
pub(crate) const FORGET_FILE: &str = "DELETE FROM media WHERE id = $1";

/// How many files one change forgets: each is a statement under the lock of the log.
const FORGOTTEN_AT_ONCE: i64 = 100;

/// Whether there is anything that the two statements above would remove.
const FORGETTABLE: &str = "SELECT CAST(1 AS BIGINT) WHERE EXISTS \
     (SELECT 1 FROM media_pending WHERE expires_at < $1) OR EXISTS \
     (SELECT 1 FROM media_thumbnails WHERE NOT EXISTS \
         (SELECT 1 FROM media WHERE media.id = media_thumbnails.media))";

fn place<'a>(table: &'static str, column: &'static str, id: &'a str) -> Place<'a> {
    Place { table, column, id }
}

/// The id of a thumbnail, which its sealed columns are bound to.
fn thumbnail_id(of: &str, size: Size) -> String {
    format!("{of}/{size}")
}

fn bounded(size_bytes: u64) -> Result<Value, StoreError> {
    let size = i64::try_from(size_bytes);
    let size = size.map_err(|_| StoreError::Refused("a file is past all bounds".to_owned()))?;
    Ok(size.into())
}

/// The row of a file.
pub(crate) fn file(
    keys: &KeySet,
    owner: i64,
    file: &Uploaded,
    placed: &Placed,
) -> Result<Vec<Value>, StoreError> {
    let id = file.id.as_str();
    let seal =
        |column, plain: &[u8]| keys.seal(Scope::User(owner), place("media", column, id), plain);
    let text = |column, text: &Option<String>| {
        let sealed = text.as_ref().map(|text| seal(column, text.as_bytes()));
        sealed.transpose()
    };
    Ok(vec![
        id.into(),
        placed.pos.into(),
        owner.into(),
        file.blob.to_string().into(),
        bounded(file.size_bytes)?,
        placed.at.into(),
        seal("file_key", file.key.as_bytes())?.into(),
        text("content_type", &file.content_type)?.into(),
        text("file_name", &file.file_name)?.into(),
    ])
}

/// The row of a thumbnail.
pub(crate) fn thumbnail(
    keys: &KeySet,
    rendition: &Rendition,
    placed: &Placed,
) -> Result<Vec<Value>, StoreError> {
    let (of, size) = (rendition.of.as_str(), rendition.size);
    let id = thumbnail_id(of, size);
    let seal = |column, plain: &[u8]| {
        let scope = Scope::User(rendition.owner);
        keys.seal(scope, place("media_thumbnails", column, &id), plain)
    };
    Ok(vec![
        of.into(),
        i64::from(size.width()).into(),
        i64::from(size.height()).into(),
        size.method().as_str().into(),
        placed.pos.into(),
        rendition.blob.to_string().into(),
        bounded(rendition.size_bytes)?,
        placed.at.into(),
        seal("file_key", rendition.key.as_bytes())?.into(),
        seal("content_type", rendition.content_type.as_bytes())?.into(),
    ])
}

const READ: &str = "SELECT owner, blob, size_bytes, file_key, content_type, file_name \
     FROM media WHERE id = $1";

/// Reads a file's row and opens it; `None` when there is none.
pub(crate) async fn find(
    snapshot: &Snapshot,
    keyring: &Keyring,
    id: &MediaId,
) -> Result<Option<Found>, SealError> {
    let row = snapshot.query_opt(READ, &[id.as_str().into()]).await?;
    match row {
        Some(row) => opened(snapshot, keyring, &row, ("media", id.as_str()))
            .await
            .map(Some),
        None => Ok(None),
    }
}

const READ_THUMBNAIL: &str = "SELECT m.owner, t.blob, t.size_bytes, t.file_key, t.content_type, \
         CAST(NULL AS BYTEA) \
     FROM media_thumbnails t JOIN media m ON m.id = t.media \
     WHERE t.media = $1 AND t.width = $2 AND t.height = $3 AND t.method = $4";

/// Reads a thumbnail's row and opens it; `None` when there is none.
pub(crate) async fn find_thumbnail(
    snapshot: &Snapshot,
    keyring: &Keyring,
    of: &MediaId,
    size: Size,
) -> Result<Option<Found>, SealError> {
    let key = thumbnail_key(of.as_str(), size);
    let id = thumbnail_id(of.as_str(), size);
    match snapshot.query_opt(READ_THUMBNAIL, &key).await? {
        Some(row) => opened(snapshot, keyring, &row, ("media_thumbnails", &id))
            .await
            .map(Some),
        None => Ok(None),
    }
}

fn thumbnail_key(of: &str, size: Size) -> [Value; 4] {
    [
        of.into(),
        i64::from(size.width()).into(),
        i64::from(size.height()).into(),
        size.method().as_str().into(),
    ]
}

async fn opened(
    snapshot: &Snapshot,
    keyring: &Keyring,
    row: &Row,
    (table, id): (&'static str, &str),
) -> Result<Found, SealError> {
    let sealed = [Some(row.bytes(3)?), row.opt_bytes(4)?, row.opt_bytes(5)?];
    let keys = keyring
        .keys_of(snapshot, sealed.into_iter().flatten())
        .await?;
    let damaged = |what: &str| StoreError::Damaged(format!("a file's {what} is none"));
    let text = |index, column| -> Result<Option<String>, SealError> {
        let Some(sealed) = row.opt_bytes(index)? else {
            return Ok(None);
        };
        let plain = keys.open(place(table, column, id), sealed)?;
        let text = String::from_utf8(plain).map_err(|_| damaged(column))?;
        Ok(Some(text))
    };
    let blob = row.text(1)?.parse().map_err(|_| damaged("blob"))?;
    let size_bytes = u64::try_from(row.int(2)?).map_err(|_| damaged("size"))?;
    let key = keys.open(place(table, "file_key", id), row.bytes(3)?)?;
    let key = zeroize::Zeroizing::new(key);
    Ok(Found {
        owner: row.int(0)?,
        blob,
        size_bytes,
        key: FileKey::from_bytes(&key)?,
        content_type: text(4, "content_type")?,
        file_name: text(5, "file_name")?,
    })
}

/// The owner of a file, if there is one of this id.
pub(crate) async fn owner(reader: &Reader, id: &str) -> Result<Option<i64>, StoreError> {
    const READ: &str = "SELECT owner FROM media WHERE id = $1";
    let row = reader.query_opt(READ, &[id.into()]).await?;
    row.map(|row| row.int(0)).transpose()
}

/// An id that was given out and has no content.
pub(crate) async fn pending(reader: &Reader, id: &str) -> Result<Option<Pending>, StoreError> {
    const READ: &str = "SELECT pos, owner, expires_at FROM media_pending WHERE id = $1";
    let row = reader.query_opt(READ, &[id.into()]).await?;
    row.map(|row| {
        Ok(Pending {
            pos: row.int(0)?,
            owner: row.int(1)?,
            expires_at: row.int(2)?,
        })
    })
    .transpose()
}

/// When the newest of a user's unused ids expire: as many as decide whether there is room for one
/// more.
pub(crate) async fn expiries(reader: &Reader, owner: i64) -> Result<Vec<i64>, StoreError> {
    const READ: &str = "SELECT expires_at FROM media_pending WHERE owner = $1 \
         ORDER BY expires_at DESC LIMIT $2";
    let most = i64::try_from(MAX_PENDING).unwrap_or(i64::MAX);
    let rows = reader.query(READ, &[owner.into(), most.into()]).await?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// Whether a thumbnail was made.
pub(crate) async fn has_thumbnail(
    reader: &Reader,
    of: &str,
    size: Size,
) -> Result<bool, StoreError> {
    const READ: &str = "SELECT pos FROM media_thumbnails \
         WHERE media = $1 AND width = $2 AND height = $3 AND method = $4";
    let row = reader.query_opt(READ, &thumbnail_key(of, size)).await?;
    Ok(row.is_some())
}

/// How much a user has uploaded.
pub(crate) async fn usage(reader: &Reader, owner: i64) -> Result<Usage, StoreError> {
    const READ: &str = "SELECT files, size_bytes FROM media_usage WHERE owner = $1";
    let Some(row) = reader.query_opt(READ, &[owner.into()]).await? else {
        return Ok(Usage::default());
    };
    let count = |index| Ok::<_, StoreError>(u64::try_from(row.int(index)?).unwrap_or(0));
    Ok(Usage {
        files: count(0)?,
        size_bytes: count(1)?,
    })
}

/// An owner's oldest files of those that were stored before a moment, with their sizes.
pub(crate) async fn stored_before(
    reader: &Reader,
    owner: i64,
    moment: i64,
) -> Result<Vec<SizedFile>, StoreError> {
    const READ: &str = "SELECT id, size_bytes FROM media \
         WHERE owner = $1 AND created_at < $2 ORDER BY pos LIMIT $3";
    let params = [owner.into(), moment.into(), FORGOTTEN_AT_ONCE.into()];
    let rows = reader.query(READ, &params).await?;
    rows.iter()
        .map(|row| {
            let size_bytes = u64::try_from(row.int(1)?).unwrap_or(0);
            Ok((row.text(0)?.to_owned(), size_bytes))
        })
        .collect()
}

/// Whether there is anything to forget.
pub(crate) async fn has_forgettable(
    reader: &Reader,
    expired_before: i64,
) -> Result<bool, StoreError> {
    let row = reader
        .query_opt(FORGETTABLE, &[expired_before.into()])
        .await?;
    Ok(row.is_some())
}
