//! What holds for blobs in a folder, over the public API.
#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::{
    convert::Infallible,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use blobs::{BlobError, BlobId, Blobs, PutError};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, future::join_all, stream};
use model::{entropy::Entropy, time::Timestamp};
use proptest::prelude::*;

struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        aws_lc_rs::rand::fill(buffer).unwrap();
    }
}

fn new_id() -> BlobId {
    BlobId::generate(&SystemEntropy)
}

fn pieces(content: &[u8], length: usize) -> impl Stream<Item = Result<Bytes, Infallible>> + use<> {
    let pieces: Vec<_> = content
        .chunks(length)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    stream::iter(pieces)
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 % 251) as u8).collect()
}

async fn read(blobs: &Blobs, id: BlobId, offset: u64, length: u64) -> Result<Vec<u8>, BlobError> {
    let reading = blobs.read_range(id, offset, length).await?;
    let pieces: Vec<Bytes> = reading.bytes.try_collect().await?;
    Ok(pieces.concat())
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

async fn eventually(holds: impl Fn() -> bool) {
    for _ in 0..5_000 {
        if holds() {
            return;
        }
        tokio::task::spawn_blocking(std::thread::yield_now)
            .await
            .unwrap();
    }
    panic!("it never came true");
}

const LATER: Timestamp = Timestamp::from_millis(i64::MAX);
const EARLIER: Timestamp = Timestamp::from_millis(0);

#[tokio::test]
async fn a_blob_reads_back_as_it_was_put() {
    let root = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(&format!("file://{}", root.path().display()))
        .await
        .unwrap();
    for (length, piece) in [
        (0, 1),
        (1, 1),
        (70_000, 1_000),
        (1_048_576, 65_552),
        (3_000_000, 900_000),
    ] {
        let (id, plain) = (new_id(), content(length));
        assert_eq!(
            blobs.put(id, pieces(&plain, piece)).await.unwrap(),
            length as u64
        );
        let reading = blobs.get(id).await.unwrap();
        assert_eq!(reading.blob_bytes, length as u64);
        let back: Vec<Bytes> = reading.bytes.try_collect().await.unwrap();
        assert!(
            back.concat() == plain,
            "{length} bytes in pieces of {piece}"
        );
    }
}

#[tokio::test]
async fn blobs_are_still_there_when_the_folder_is_opened_again() {
    let root = tempfile::tempdir().unwrap();
    let id = new_id();
    let blobs = Blobs::in_folder(root.path().into()).await.unwrap();
    blobs.put(id, pieces(b"still here", 3)).await.unwrap();
    drop(blobs);
    let blobs = Blobs::in_folder(root.path().into()).await.unwrap();
    assert_eq!(read(&blobs, id, 0, u64::MAX).await.unwrap(), b"still here");
}

#[tokio::test]
async fn files_and_folders_are_the_owners_alone() {
    let root = tempfile::tempdir().unwrap();
    let files_root = root.path().join("made/here");
    let blobs = Blobs::in_folder(files_root.clone()).await.unwrap();
    let id = new_id();
    blobs.put(id, pieces(b"x", 1)).await.unwrap();
    let text = id.to_string();
    let file = files_root.join(&text[..2]).join(&text[2..4]).join(&text);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&file), 0o600);
    for folder in file.ancestors().skip(1).take(3) {
        assert_eq!(mode(folder), 0o700, "{}", folder.display());
    }
    assert_eq!(mode(&files_root.join("incoming")), 0o700);
}

#[tokio::test]
async fn a_source_that_fails_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let blobs = Blobs::in_folder(root.path().into()).await.unwrap();
    let id = new_id();
    let source = stream::iter([
        Ok(Bytes::from(content(600_000))),
        Ok(Bytes::from(content(5))),
        Err("the line was cut"),
    ]);
    let error = blobs.put(id, source).await.unwrap_err();
    assert!(matches!(error, PutError::Source("the line was cut")));
    assert!(files(root.path()).is_empty());
    assert!(matches!(blobs.get(id).await, Err(BlobError::Missing(missing)) if missing == id));
}

#[tokio::test]
async fn a_put_that_nobody_waits_for_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let blobs = Blobs::in_folder(root.path().into()).await.unwrap();
    let endless =
        stream::iter([Ok::<_, Infallible>(Bytes::from(content(600_000)))]).chain(stream::pending());
    let put = tokio::spawn(async move { blobs.put(new_id(), endless).await.map_err(drop) });
    eventually(|| {
        files(root.path())
            .iter()
            .any(|file| file.metadata().is_ok_and(|it| it.len() > 0))
    })
    .await;
    put.abort();
    eventually(|| files(root.path()).is_empty()).await;
}

#[tokio::test]
async fn what_a_crash_left_half_written_is_no_blob_and_is_swept() {
    let root = tempfile::tempdir().unwrap();
    let blobs = Blobs::in_folder(root.path().into()).await.unwrap();
    let (crashed, whole) = (new_id(), new_id());
    blobs.put(whole, pieces(b"whole", 5)).await.unwrap();
    fs::write(
        root.path().join("incoming").join(crashed.to_string()),
        b"ha",
    )
    .unwrap();

    assert!(matches!(
        blobs.get(crashed).await,
        Err(BlobError::Missing(_))
    ));
    let mut listed = Vec::new();
    for first_byte in 0..=255 {
        listed.extend(blobs.written_before(LATER, first_byte).await.unwrap());
    }
    assert_eq!(listed, [whole]);

    assert_eq!(blobs.sweep_temporary(EARLIER).await.unwrap(), 0);
    assert_eq!(blobs.sweep_temporary(LATER).await.unwrap(), 1);
    assert!(files(&root.path().join("incoming")).is_empty());
    assert_eq!(read(&blobs, whole, 0, 9).await.unwrap(), b"whole");
}

#[tokio::test]
async fn only_blobs_of_an_age_are_listed() {
    let root = tempfile::tempdir().unwrap();
    let blobs = Blobs::in_folder(root.path().into()).await.unwrap();
    let id = new_id();
    blobs.put(id, pieces(b"x", 1)).await.unwrap();
    let text = id.to_string();
    let shelf = root.path().join(&text[..2]).join(&text[2..4]);
    fs::write(shelf.join("README"), b"not ours").unwrap();
    let first_byte = u8::from_str_radix(&text[..2], 16).unwrap();

    let modified = shelf.join(&text).metadata().unwrap().modified().unwrap();
    let written = EARLIER.plus(modified.duration_since(std::time::UNIX_EPOCH).unwrap());
    let after = written.plus(Duration::from_millis(1));
    assert_eq!(blobs.written_before(written, first_byte).await.unwrap(), []);
    assert_eq!(blobs.written_before(after, first_byte).await.unwrap(), [id]);
    assert_eq!(blobs.written_before(after, !first_byte).await.unwrap(), []);
}

#[tokio::test]
async fn a_blob_is_never_written_over() {
    let root = tempfile::tempdir().unwrap();
    let blobs = Blobs::in_folder(root.path().into()).await.unwrap();
    let id = new_id();
    blobs.put(id, pieces(b"first", 5)).await.unwrap();
    let second = blobs.put(id, pieces(b"second", 6)).await;
    assert!(matches!(second, Err(PutError::Blob(BlobError::Exists(_)))));
    assert_eq!(read(&blobs, id, 0, 99).await.unwrap(), b"first");

    let id = new_id();
    let contents: Vec<Vec<u8>> = (0..8).map(|at| vec![at; 300_000]).collect();
    let puts = contents
        .iter()
        .map(|plain| blobs.put(id, pieces(plain, 1_000)));
    let done: Vec<bool> = join_all(puts).await.iter().map(Result::is_ok).collect();
    assert_eq!(done.iter().filter(|done| **done).count(), 1);
    let winner = done.iter().position(|done| *done).unwrap();
    assert!(read(&blobs, id, 0, u64::MAX).await.unwrap() == contents[winner]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_puts_at_once_keep_their_contents_apart() {
    let root = tempfile::tempdir().unwrap();
    let blobs = Blobs::in_folder(root.path().into()).await.unwrap();
    let puts = (0..32_u8).map(|at| {
        let (blobs, id) = (blobs.clone(), new_id());
        tokio::spawn(async move {
            let plain = vec![at; 400_000];
            blobs.put(id, pieces(&plain, 7_000)).await.unwrap();
            assert!(read(&blobs, id, 0, u64::MAX).await.unwrap() == plain);
        })
    });
    for put in join_all(puts).await {
        put.unwrap();
    }
    assert_eq!(files(root.path()).len(), 32);
}

#[tokio::test]
async fn a_deleted_blob_is_gone_at_once() {
    let root = tempfile::tempdir().unwrap();
    let blobs = Blobs::in_folder(root.path().into()).await.unwrap();
    let id = new_id();
    blobs.put(id, pieces(b"x", 1)).await.unwrap();
    assert!(blobs.delete(id).await.unwrap());
    assert!(!blobs.delete(id).await.unwrap());
    assert!(matches!(blobs.get(id).await, Err(BlobError::Missing(_))));
    assert!(files(root.path()).is_empty());
}

#[tokio::test]
async fn a_file_cut_while_it_is_read_is_an_error_and_not_an_end() {
    let root = tempfile::tempdir().unwrap();
    let blobs = Blobs::in_folder(root.path().into()).await.unwrap();
    let id = new_id();
    blobs
        .put(id, pieces(&content(900_000), 100_000))
        .await
        .unwrap();
    let reading = blobs.get(id).await.unwrap();
    let text = id.to_string();
    let path = root.path().join(&text[..2]).join(&text[2..4]).join(&text);
    fs::OpenOptions::new()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(300_000)
        .unwrap();
    let read: Result<Vec<Bytes>, _> = reading.bytes.try_collect().await;
    assert!(matches!(read, Err(BlobError::Io { .. })));
}

#[tokio::test]
async fn places_that_cannot_hold_files_are_refused_with_a_reason() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    fs::write(&file, b"").unwrap();
    for (url, part) in [
        ("s3://key:secret@bucket", "\"s3\""),
        ("/srv/files", "no scheme"),
        ("file://", "no folder"),
        (
            &format!("file://{}/sub", file.display()),
            "cannot be kept in the folder",
        ),
    ] {
        let error = Blobs::open(url).await.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_range_is_that_part_of_the_whole(
        length in 0_usize..700_000,
        offset in 0_u64..800_000,
        wanted in prop_oneof![0_u64..800_000, Just(u64::MAX)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let root = tempfile::tempdir().unwrap();
            let blobs = Blobs::in_folder(root.path().into()).await.unwrap();
            let (id, plain) = (new_id(), content(length));
            blobs.put(id, pieces(&plain, 50_000)).await.unwrap();
            let read = read(&blobs, id, offset, wanted).await;
            if offset > length as u64 {
                assert!(matches!(read, Err(BlobError::OutOfRange { .. })));
            } else {
                let end = offset.saturating_add(wanted).min(length as u64);
                assert!(read.unwrap() == plain[offset as usize..end as usize]);
            }
        });
    }
}
