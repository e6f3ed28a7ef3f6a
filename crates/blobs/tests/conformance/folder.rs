//! What holds of a folder alone.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use blobs::{BlobError, Blobs};
use bytes::Bytes;
use futures_util::TryStreamExt;

use crate::place::{EARLIER, LATER, content, files, listed, new_id, pieces, read};

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
    assert_eq!(listed(&blobs).await, [whole]);

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
async fn a_folder_that_cannot_hold_files_is_refused_with_a_reason() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = Blobs::in_folder(file.join("sub")).await.unwrap_err();
    let sentence = error.to_string();
    assert!(
        sentence.contains("cannot be kept in the folder"),
        "{sentence}"
    );
}
