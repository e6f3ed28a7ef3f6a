//! Uploaded files on their way into a copy and out of it.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write},
    sync::Arc,
};

use blobs::{BlobError, BlobId, Blobs, PutError, Reading};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;
use store::{Table, TableFile};

use crate::{
    CopyError, Tell,
    digest::Hasher,
    folder::{FILE_LIST, FILES, Folder},
    manifest::Files,
};

/// How many files are copied at once: making one durable is mostly waiting.
const AT_ONCE: usize = 4;

/// After how many files a person is told.
const TELL_FILES: u64 = 1_000;

/// How many missing files the manifest names; the rest is counted.
const NAMED_MISSING: usize = 100;

impl Files {
    fn note_missing(&mut self, id: BlobId) {
        self.missing_count += 1;
        if self.missing.len() < NAMED_MISSING {
            self.missing.push(id.to_string());
        }
    }
}

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) id: BlobId,
    pub(crate) sha256: String,
}

impl Listed {
    /// As `sha256sum` writes it, and reads it with `--check`.
    fn to_line(&self) -> String {
        let path = self.id.path_in_folder();
        format!("{}  {FILES}/{path}\n", self.sha256)
    }

    fn parse(line: &str) -> Option<Self> {
        let (sha256, path) = line.split_once("  ")?;
        let id = path.rsplit('/').next()?.parse().ok()?;
        let listed = Self {
            id,
            sha256: sha256.to_owned(),
        };
        (listed.to_line().trim_end() == line).then_some(listed)
    }
}

/// The blobs that the rows of a copy name, each once.
///
/// Sixteen bytes each: a million files are some tens of megabytes.
pub(crate) async fn named_blobs(
    database: &TableFile,
    tables: &[Table],
) -> Result<BTreeSet<BlobId>, CopyError> {
    let mut ids = BTreeSet::new();
    for (name, column) in media::BLOB_COLUMNS {
        let Some(table) = tables.iter().find(|table| table.name == *name) else {
            continue;
        };
        let columns = table.columns.iter().filter(|(name, _)| name == column);
        let only = Table {
            name: table.name.clone(),
            columns: columns.cloned().collect(),
        };
        let mut scan = database.scan(&only);
        while let Some(rows) = scan.next().await? {
            for row in &rows {
                let Some(text) = row.opt_text(0)? else {
                    continue;
                };
                let id = text.parse();
                ids.insert(id.map_err(|_| {
                    CopyError::damaged(*name, format!("{column} holds what is no blob"))
                })?);
            }
        }
    }
    Ok(ids)
}

/// Copies blobs into the folder of a copy, and lists them with their digests.
pub(crate) async fn copy_files(
    source: &Blobs,
    folder: &Folder,
    ids: BTreeSet<BlobId>,
    tell: Tell<'_>,
) -> Result<Files, CopyError> {
    let target = Blobs::in_folder(folder.entry(FILES)).await?;
    let total = ids.len();
    let mut list = BufWriter::new(folder.create(FILE_LIST)?);
    let mut hasher = Hasher::new();
    let mut files = Files::default();
    let mut copied = stream::iter(ids)
        .map(|id| {
            let target = &target;
            async move { (id, copy_blob(source, target, id, None).await) }
        })
        .buffered(AT_ONCE);
    while let Some((id, copied)) = copied.next().await {
        let (sha256, size_bytes) = match copied {
            Ok(copied) => copied,
            Err(CopyError::Blobs(BlobError::Missing(_))) => {
                files.note_missing(id);
                continue;
            }
            Err(error) => return Err(error),
        };
        files.count += 1;
        files.size_bytes += size_bytes;
        let line = Listed { id, sha256 }.to_line();
        hasher.update(line.as_bytes());
        write(list.write_all(line.as_bytes()), folder)?;
        if files.count.is_multiple_of(TELL_FILES) {
            tell(&format!("{} of {total} files", files.count));
        }
    }
    drop(copied);
    write(list.flush(), folder)?;
    write(list.get_ref().sync_all(), folder)?;
    // Where blobs are begun; it is empty now.
    drop(std::fs::remove_dir(folder.entry(FILES).join("incoming")));
    files.list_sha256 = hasher.finish().0;
    Ok(files)
}

fn write(written: io::Result<()>, folder: &Folder) -> Result<(), CopyError> {
    written.map_err(|error| CopyError::io("write", &folder.entry(FILE_LIST), error))
}

/// Copies one blob; with an expected digest, only what has it gets its name.
pub(crate) async fn copy_blob(
    source: &Blobs,
    target: &Blobs,
    id: BlobId,
    expected: Option<&str>,
) -> Result<(String, u64), CopyError> {
    let reading = source.get(id).await?;
    let hasher = Arc::new(Mutex::new(Hasher::new()));
    let passing = hashed(
        reading.bytes,
        Arc::clone(&hasher),
        expected.map(str::to_owned),
    );
    let size_bytes = match target.put(id, passing).await {
        Ok(size_bytes) => size_bytes,
        Err(PutError::Blob(error)) => return Err(error.into()),
        Err(PutError::Source(Fault::Blob(error))) => return Err(error.into()),
        Err(PutError::Source(Fault::Digest)) => return Err(altered(id)),
    };
    let sha256 = hasher.lock().so_far();
    Ok((sha256, size_bytes))
}

/// Why a blob is not taken over.
enum Fault {
    Blob(BlobError),
    Digest,
}

/// Hashes what passes; when the end does not fit, the last thing that passes is an error.
fn hashed(
    bytes: impl Stream<Item = Result<Bytes, BlobError>> + Send,
    hasher: Arc<Mutex<Hasher>>,
    expected: Option<String>,
) -> impl Stream<Item = Result<Bytes, Fault>> + Send {
    let at_end = Arc::clone(&hasher);
    let passing = bytes
        .map_err(Fault::Blob)
        .inspect_ok(move |piece| hasher.lock().update(piece));
    let end = stream::once(async move {
        let expected = expected?;
        (at_end.lock().so_far() != expected).then_some(Err(Fault::Digest))
    });
    passing.chain(end.filter_map(std::future::ready))
}

/// Proves that every listed blob is there as it was copied.
pub(crate) async fn check_files(
    folder: &Folder,
    files: &Files,
    tell: Tell<'_>,
) -> Result<(), CopyError> {
    let blobs = Blobs::in_read_only_folder(folder.entry(FILES));
    let list = List::open(folder)?;
    let (mut count, mut size_bytes) = (0_u64, 0_u64);
    let mut read = stream::iter(list)
        .map(|listed| {
            let blobs = &blobs;
            async move { check_blob(blobs, &listed?).await }
        })
        .buffered(AT_ONCE);
    while let Some(size) = read.next().await {
        size_bytes += size?;
        count += 1;
        if count.is_multiple_of(TELL_FILES) {
            tell(&format!("checked {count} of {} files", files.count));
        }
    }
    if (count, size_bytes) != (files.count, files.size_bytes) {
        let fault = "it names other files than the manifest counts";
        return Err(CopyError::damaged(FILE_LIST, fault));
    }
    Ok(())
}

async fn check_blob(blobs: &Blobs, listed: &Listed) -> Result<u64, CopyError> {
    let named = || shown(listed.id);
    let reading = match blobs.get(listed.id).await {
        Ok(reading) => reading,
        Err(BlobError::Missing(_)) => return Err(CopyError::damaged(named(), "it is missing")),
        Err(error) => return Err(error.into()),
    };
    let (sha256, size_bytes) = digest_of_reading(reading).await?;
    if sha256 == listed.sha256 {
        Ok(size_bytes)
    } else {
        Err(altered(listed.id))
    }
}

/// The digest of a blob, and its size.
pub(crate) async fn digest_of_reading(reading: Reading) -> Result<(String, u64), BlobError> {
    let mut hasher = Hasher::new();
    let mut bytes = reading.bytes;
    while let Some(piece) = bytes.try_next().await? {
        hasher.update(&piece);
    }
    Ok(hasher.finish())
}

fn altered(id: BlobId) -> CopyError {
    CopyError::damaged(shown(id), "it is not as it was copied")
}

fn shown(id: BlobId) -> String {
    format!("{FILES}/{}", id.path_in_folder())
}

/// The lines of the list, as they are read.
pub(crate) struct List {
    lines: io::Lines<BufReader<File>>,
}

impl List {
    pub(crate) fn open(folder: &Folder) -> Result<Self, CopyError> {
        let path = folder.entry(FILE_LIST);
        let file = File::open(&path).map_err(|error| CopyError::io("open", &path, error))?;
        let lines = BufReader::new(file).lines();
        Ok(Self { lines })
    }
}

impl Iterator for List {
    type Item = Result<Listed, CopyError>;

    fn next(&mut self) -> Option<Self::Item> {
        let damaged = || CopyError::damaged(FILE_LIST, "a line names no file");
        let line = self.lines.next()?;
        let listed = line.ok().and_then(|line| Listed::parse(&line));
        Some(listed.ok_or_else(damaged))
    }
}
