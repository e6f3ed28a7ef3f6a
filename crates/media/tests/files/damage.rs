//! What is stored and was changed is never given out: an error comes instead, and before it
//! only what was uploaded.

use std::fs;

use futures_util::StreamExt;
use media::{DownloadError, MediaId};

use super::fixture::{Fixture, content};

const CHUNK: usize = 65_536;
const SEALED: usize = CHUNK + 16;

/// What comes before the error, and the error.
async fn read_to_error(fixture: &Fixture, id: &MediaId) -> (Vec<u8>, DownloadError) {
    let file = fixture.media.open(id).await.unwrap();
    let mut given = Vec::new();
    let mut content = match file.open_at(0).await {
        Ok(content) => content,
        Err(error) => return (given, error),
    };
    while let Some(piece) = content.next().await {
        match piece {
            Ok(piece) => given.extend_from_slice(&piece),
            Err(error) => {
                assert!(content.next().await.is_none(), "an error is the end");
                return (given, error);
            }
        }
    }
    panic!("the damaged file was read to its end");
}

/// Stores a file, changes the blob, reads: nothing wrong comes out.
async fn refused(length: usize, damage: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let fixture = Fixture::sqlite().await;
    let plain = content(length);
    let id = fixture.put(&plain).await;
    let path = fixture.stored_files().remove(0);
    let mut sealed = fs::read(&path).unwrap();
    damage(&mut sealed);
    fs::write(&path, sealed).unwrap();
    let (given, error) = read_to_error(&fixture, &id).await;
    assert!(matches!(error, DownloadError::Damaged { .. }), "{error}");
    assert!(
        plain.starts_with(&given),
        "only what was uploaded comes out"
    );
    given
}

#[tokio::test]
async fn a_changed_byte_anywhere_is_found() {
    for at in [0, 100, SEALED - 1] {
        let given = refused(200_000, |sealed| sealed[at] ^= 1).await;
        assert_eq!(given.len(), 0);
    }
    let given = refused(200_000, |sealed| sealed[SEALED + 5] ^= 0x80).await;
    assert_eq!(given.len(), CHUNK);
    let given = refused(200_000, |sealed| *sealed.last_mut().unwrap() ^= 1).await;
    assert_eq!(given.len(), 3 * CHUNK);
    refused(0, |sealed| sealed[3] ^= 1).await;
}

#[tokio::test]
async fn a_file_cut_short_is_refused_before_anything_is_given() {
    for kept in [0, 15, SEALED, 2 * SEALED, 2 * SEALED + 1] {
        let given = refused(3 * CHUNK, |sealed| sealed.truncate(kept)).await;
        assert_eq!(given.len(), 0, "cut to {kept}");
    }
}

#[tokio::test]
async fn a_file_made_longer_is_refused() {
    refused(70_000, |sealed| sealed.push(0)).await;
    refused(CHUNK, |sealed| sealed.extend_from_within(..)).await;
}

#[tokio::test]
async fn chunks_in_another_order_are_refused() {
    let swap = |one: usize, other: usize| {
        move |sealed: &mut Vec<u8>| {
            for at in 0..SEALED {
                sealed.swap(one * SEALED + at, other * SEALED + at);
            }
        }
    };
    assert_eq!(refused(4 * CHUNK, swap(0, 1)).await.len(), 0);
    assert_eq!(refused(4 * CHUNK, swap(1, 2)).await.len(), CHUNK);
    // The last chunk of a file that fills its chunks is as long as the others.
    assert_eq!(refused(4 * CHUNK, swap(2, 3)).await.len(), 2 * CHUNK);
}

#[tokio::test]
async fn a_chunk_that_is_there_twice_is_refused() {
    let given = refused(3 * CHUNK, |sealed| sealed.copy_within(0..SEALED, SEALED)).await;
    assert_eq!(given.len(), CHUNK);
}

#[tokio::test]
async fn the_content_of_another_file_is_refused() {
    let fixture = Fixture::sqlite().await;
    let one = fixture.put(&content(90_000)).await;
    let first = fixture.stored_files();
    fixture.put(&vec![1; 90_000]).await;
    let second = fixture
        .stored_files()
        .into_iter()
        .find(|path| !first.contains(path));
    fs::copy(second.unwrap(), &first[0]).unwrap();
    let (given, error) = read_to_error(&fixture, &one).await;
    assert!(given.is_empty());
    assert!(matches!(error, DownloadError::Damaged { .. }));
}

#[tokio::test]
async fn a_blob_that_is_gone_is_damage_and_not_a_missing_file() {
    let fixture = Fixture::sqlite().await;
    let id = fixture.put(b"x").await;
    fs::remove_file(&fixture.stored_files()[0]).unwrap();
    let (_, error) = read_to_error(&fixture, &id).await;
    assert!(
        error.to_string().ends_with("is damaged: it is missing"),
        "{error}"
    );
}
