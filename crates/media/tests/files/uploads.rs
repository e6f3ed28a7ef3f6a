//! Uploads: whole and durable, or without a trace.

use std::{
    convert::Infallible,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use futures_util::{StreamExt, future::join_all, stream};
use media::{DownloadError, MediaId, NewFile, UploadError, Usage};

use super::fixture::{Fixture, MAX_SIZE_BYTES, content, new_file, pieces, read, user};

#[tokio::test]
async fn a_file_reads_back_as_it_was_uploaded() {
    for fixture in Fixture::both().await {
        for length in [0, 1, 65_535, 65_536, 65_537, 131_072, 300_000] {
            let plain = content(length);
            let id = fixture.put(&plain).await;
            let file = fixture.media.open(&id).await.unwrap();
            assert_eq!(file.size_bytes(), length as u64);
            assert_eq!(file.content_type.as_deref(), Some("image/png"));
            assert_eq!(file.file_name.as_deref(), Some("cat.png"));
            assert!(
                read(&fixture.media, &id, 0).await.unwrap() == plain,
                "{length} bytes"
            );
        }
    }
}

#[tokio::test]
async fn another_node_reads_a_file_at_once() {
    let fixture = Fixture::postgres().await;
    let other = fixture.second_node().await;
    let id = fixture.put(b"from the first node").await;
    assert_eq!(read(&other, &id, 0).await.unwrap(), b"from the first node");
}

#[tokio::test]
async fn a_file_without_type_and_name_has_none() {
    let fixture = Fixture::sqlite().await;
    let file = NewFile {
        content_type: None,
        file_name: None,
        ..new_file("@alice:localhost")
    };
    let id = fixture.media.upload(file, pieces(b"x", 1)).await.unwrap();
    let file = fixture.media.open(&id).await.unwrap();
    assert_eq!((file.content_type, file.file_name), (None, None));
}

#[tokio::test]
async fn an_unknown_file_is_missing() {
    let fixture = Fixture::sqlite().await;
    let id = MediaId::parse(&"x".repeat(32)).unwrap();
    let opened = fixture.media.open(&id).await;
    assert!(matches!(opened, Err(DownloadError::Missing)));
    for text in [
        "",
        "../../../../../../../../etc/passwd",
        "short",
        &"x".repeat(33),
    ] {
        assert_eq!(MediaId::parse(text), None, "{text}");
    }
}

async fn assert_nothing_is_left(fixture: &Fixture) {
    assert_eq!(fixture.stored_files(), Vec::<std::path::PathBuf>::new());
    let usage = fixture
        .media
        .usage(&user("@alice:localhost"))
        .await
        .unwrap();
    assert_eq!(usage, Usage::default());
}

#[tokio::test]
async fn an_endless_upload_is_stopped_at_the_largest_size() {
    let fixture = Fixture::sqlite().await;
    let taken = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&taken);
    let endless = stream::repeat_with(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        Ok::<_, Infallible>(Bytes::from_static(&[7; 1_000]))
    });
    let error = fixture
        .media
        .upload(new_file("@alice:localhost"), endless)
        .await
        .unwrap_err();
    assert!(matches!(
        error,
        UploadError::TooLarge {
            max_size_bytes: MAX_SIZE_BYTES
        }
    ));
    assert_eq!(taken.load(Ordering::Relaxed), MAX_SIZE_BYTES / 1_000 + 1);
    assert_nothing_is_left(&fixture).await;
}

#[tokio::test]
async fn the_largest_size_is_taken_and_one_byte_more_is_not() {
    let fixture = Fixture::sqlite().await;
    let largest = content(MAX_SIZE_BYTES as usize);
    let id = fixture.put(&largest).await;
    assert!(read(&fixture.media, &id, 0).await.unwrap() == largest);
    let larger = content(MAX_SIZE_BYTES as usize + 1);
    let file = new_file("@bob:localhost");
    let error = fixture
        .media
        .upload(file, pieces(&larger, 9_999))
        .await
        .unwrap_err();
    assert!(matches!(error, UploadError::TooLarge { .. }));
    assert_eq!(fixture.stored_files().len(), 1);
}

#[tokio::test]
async fn what_is_announced_too_large_is_refused_unread() {
    let fixture = Fixture::sqlite().await;
    let file = NewFile {
        size_bytes: Some(MAX_SIZE_BYTES + 1),
        ..new_file("@alice:localhost")
    };
    let unread = stream::repeat_with(|| -> Result<Bytes, Infallible> { panic!("it was read") });
    let error = fixture.media.upload(file, unread).await.unwrap_err();
    assert!(matches!(error, UploadError::TooLarge { .. }));
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let fixture = Fixture::sqlite().await;
    let broken = pieces(&content(400_000), 10_000)
        .map(|piece| piece.map_err(|never| match never {}))
        .chain(stream::iter([Err(io::Error::from(
            io::ErrorKind::ConnectionReset,
        ))]));
    let error = fixture
        .media
        .upload(new_file("@alice:localhost"), broken)
        .await
        .unwrap_err();
    assert!(matches!(error, UploadError::Broken(_)));
    assert_nothing_is_left(&fixture).await;
}

#[tokio::test]
async fn an_upload_of_another_length_than_announced_leaves_nothing() {
    let fixture = Fixture::sqlite().await;
    for announced in [0, 69_999, 70_001] {
        let file = NewFile {
            size_bytes: Some(announced),
            ..new_file("@alice:localhost")
        };
        let error = fixture
            .media
            .upload(file, pieces(&content(70_000), 1_000))
            .await
            .unwrap_err();
        assert!(matches!(
            error,
            UploadError::Truncated {
                arrived_bytes: 70_000,
                ..
            }
        ));
    }
    assert_nothing_is_left(&fixture).await;
}

#[tokio::test]
async fn long_names_and_types_are_refused() {
    let fixture = Fixture::sqlite().await;
    let named = NewFile {
        file_name: Some("n".repeat(1_025)),
        ..new_file("@alice:localhost")
    };
    let typed = NewFile {
        content_type: Some("t".repeat(256)),
        ..new_file("@alice:localhost")
    };
    for file in [named, typed] {
        let error = fixture
            .media
            .upload(file, pieces(b"x", 1))
            .await
            .unwrap_err();
        assert!(matches!(error, UploadError::TextTooLong { .. }));
    }
    assert_nothing_is_left(&fixture).await;
}

#[tokio::test]
async fn many_uploads_at_once_keep_their_contents_apart() {
    for fixture in Fixture::both().await {
        let uploads = (0..24_u8).map(|at| {
            let media = fixture.media.clone();
            tokio::spawn(async move {
                let owner = if at % 3 == 0 {
                    "@alice:localhost"
                } else {
                    "@bob:localhost"
                };
                let plain = vec![at; 100_000 + usize::from(at)];
                let id = media
                    .upload(new_file(owner), pieces(&plain, 7_777))
                    .await
                    .unwrap();
                (id, plain)
            })
        });
        for upload in join_all(uploads).await {
            let (id, plain) = upload.unwrap();
            assert!(read(&fixture.media, &id, 0).await.unwrap() == plain);
        }
        for (owner, of) in [("@alice:localhost", 0), ("@bob:localhost", 1)] {
            let mine = (0..24_u64).filter(|at| u64::from(at % 3 != 0) == of);
            let expected = Usage {
                files: mine.clone().count() as u64,
                size_bytes: mine.map(|at| 100_000 + at).sum(),
            };
            assert_eq!(fixture.media.usage(&user(owner)).await.unwrap(), expected);
        }
        let nobody = fixture
            .media
            .usage(&user("@carol:localhost"))
            .await
            .unwrap();
        assert_eq!(nobody, Usage::default());
    }
}
