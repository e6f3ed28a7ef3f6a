//! What crashes have left goes within a day, and nothing else does.

use std::{fs, time::Duration};

use media::{Swept, UploadError};
use model::time::Timestamp;
use testkit::eventually;

use super::fixture::{Fixture, content, new_file, pieces, read};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// Sets the fixture's clock to the machine's, by the time of its newest file.
fn set_clock(fixture: &Fixture) {
    let newest = fixture.stored_files().into_iter().map(|path| {
        let written = path.metadata().unwrap().modified().unwrap();
        written.duration_since(std::time::UNIX_EPOCH).unwrap()
    });
    let newest = newest.max().unwrap();
    fixture.clock.set(Timestamp::default().plus(newest));
}

#[tokio::test]
async fn what_a_crash_left_is_swept_after_half_a_day() {
    for fixture in Fixture::both().await {
        let plain = content(200_000);
        let kept = fixture.put(&plain).await;
        // A crash while the blob was written, and one between its renaming and its row.
        let incoming = fixture
            .files_root()
            .join("incoming/00112233445566778899aabbccddeeff");
        fs::write(incoming, b"half").unwrap();
        let shelf = fixture.files_root().join("ab/cd");
        fs::create_dir_all(&shelf).unwrap();
        fs::write(shelf.join("abcd2233445566778899aabbccddeeff"), b"whole").unwrap();
        set_clock(&fixture);

        assert_eq!(fixture.media.sweep().await.unwrap(), Swept::default());
        fixture.clock.advance(DAY / 2 - Duration::from_secs(60));
        assert_eq!(fixture.media.sweep().await.unwrap(), Swept::default());
        assert_eq!(fixture.stored_files().len(), 3);

        fixture.clock.advance(Duration::from_secs(61));
        let swept = Swept {
            unfinished: 1,
            orphans: 1,
        };
        assert_eq!(fixture.media.sweep().await.unwrap(), swept);
        assert_eq!(fixture.stored_files().len(), 1);
        assert!(read(&fixture.media, &kept, 0).await.unwrap() == plain);
    }
}

#[tokio::test]
async fn a_blob_whose_row_could_not_be_written_is_an_orphan() {
    let fixture = Fixture::sqlite().await;
    fixture.log.stop().await;
    let upload = fixture
        .media
        .upload(new_file("@alice:localhost"), pieces(&content(9), 3))
        .await;
    assert!(matches!(upload, Err(UploadError::Store(_))));
    assert_eq!(fixture.stored_files().len(), 1);
    set_clock(&fixture);
    fixture.clock.advance(2 * DAY);
    let swept = Swept {
        unfinished: 0,
        orphans: 1,
    };
    assert_eq!(fixture.media.sweep().await.unwrap(), swept);
    assert!(fixture.stored_files().is_empty());
}

#[tokio::test]
async fn while_a_copy_is_made_nothing_is_swept_on_any_node() {
    for fixture in Fixture::both().await {
        let shelf = fixture.files_root().join("ab/cd");
        fs::create_dir_all(&shelf).unwrap();
        fs::write(shelf.join("abcd2233445566778899aabbccddeeff"), b"whole").unwrap();
        set_clock(&fixture);
        fixture.clock.advance(2 * DAY);
        fixture.media.keep_blobs_for_a_copy().await.unwrap();
        assert_eq!(fixture.media.sweep().await.unwrap(), Swept::default());
        fixture.clock.advance(Duration::from_secs(10 * 60));
        fixture.media.keep_blobs_for_a_copy().await.unwrap();
        fixture.clock.advance(Duration::from_secs(10 * 60));
        assert_eq!(fixture.media.sweep().await.unwrap(), Swept::default());
        // A copy that died is not heard of any more.
        fixture.clock.advance(Duration::from_secs(10 * 60));
        assert_eq!(fixture.media.sweep().await.unwrap().orphans, 1);
    }
}

#[tokio::test]
async fn a_running_server_leaves_nothing_for_as_long_as_a_day() {
    let fixture = Fixture::sqlite().await;
    fs::write(fixture.files_root().join("incoming/x"), b"half").unwrap();
    set_clock(&fixture);
    let media = fixture.media.clone();
    let sweeper = tokio::spawn(async move { media.sweep_regularly().await });
    eventually("the first sweep is over", || {
        let sleeps = fixture.clock.sleepers() > 0;
        async move { sleeps.then_some(()) }
    })
    .await;
    assert_eq!(fixture.stored_files().len(), 1);
    // It is as old as the first sweep, and gone before it is a day old.
    for _ in 0..3 {
        fixture.clock.advance(6 * HOUR);
        eventually("the next sweep is over", || {
            let sleeps = fixture.clock.sleepers() > 0;
            async move { sleeps.then_some(()) }
        })
        .await;
    }
    assert!(fixture.stored_files().is_empty());
    sweeper.abort();
}
