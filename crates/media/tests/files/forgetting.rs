//! Files that are kept for a time only.

use std::time::Duration;

use media::{DownloadError, Swept, UploadError, Usage, thumbnail};
use model::time::Timestamp;
use testkit::eventually;

use super::fixture::{Fixture, content, new_file, pieces, read, user};

const HOUR: Duration = Duration::from_secs(3_600);
const OWNER: &str = "@PICTURES:localhost";

async fn keep(fixture: &Fixture, length: usize) -> Result<media::MediaId, UploadError> {
    let source = pieces(&content(length), 1_000);
    fixture
        .media
        .upload_within(1_000, new_file(OWNER), source)
        .await
}

async fn head(fixture: &Fixture) -> store::Pos {
    let snapshot = fixture.log.database().snapshot().await.unwrap();
    snapshot.head()
}

async fn usage(fixture: &Fixture) -> Usage {
    fixture.media.usage(&user(OWNER)).await.unwrap()
}

#[tokio::test]
async fn who_has_a_quota_of_their_own_is_held_to_it() {
    for fixture in Fixture::both().await {
        keep(&fixture, 600).await.unwrap();
        let refused = keep(&fixture, 401).await;
        assert!(matches!(refused, Err(UploadError::QuotaReached)));
        keep(&fixture, 400).await.unwrap();
        // Nobody else's uploads are narrower for it.
        fixture.put(&content(2_000)).await;
    }
}

#[tokio::test]
async fn what_is_old_is_forgotten_and_leaves_room_and_nothing_else_is() {
    for fixture in Fixture::both().await {
        let of_somebody_else = fixture.put(&content(100)).await;
        // More than one change forgets.
        let mut old = Vec::new();
        for _ in 0..130 {
            old.push(keep(&fixture, 5).await.unwrap());
        }
        fixture.clock.advance(HOUR);
        let young = keep(&fixture, 350).await.unwrap();
        let now = model::time::Clock::now(&fixture.clock);
        let before = now.minus(HOUR / 2);
        let forgotten = fixture.media.forget_older(&user(OWNER), before).await;
        assert_eq!(forgotten.unwrap(), 130);
        let (files, size_bytes) = (1, 350);
        assert_eq!(usage(&fixture).await, Usage { files, size_bytes });
        for id in &old {
            let gone = read(&fixture.media, id, 0).await;
            assert!(matches!(gone, Err(DownloadError::Missing)));
        }
        assert_eq!(read(&fixture.media, &young, 0).await.unwrap().len(), 350);
        read(&fixture.media, &of_somebody_else, 0).await.unwrap();
        keep(&fixture, 650).await.unwrap();

        // Again there is nothing to do, and the log does not move.
        let standing = head(&fixture).await;
        let forgotten = fixture.media.forget_older(&user(OWNER), before).await;
        assert_eq!(forgotten.unwrap(), 0);
        assert_eq!(head(&fixture).await, standing);
    }
}

#[tokio::test]
async fn two_nodes_that_forget_at_once_count_each_file_once() {
    let fixture = Fixture::postgres().await;
    let second = fixture.second_node().await;
    for _ in 0..20 {
        keep(&fixture, 10).await.unwrap();
    }
    fixture.clock.advance(HOUR);
    keep(&fixture, 7).await.unwrap();
    let before = model::time::Clock::now(&fixture.clock);
    let owner = user(OWNER);
    let (one, other, again) = tokio::join!(
        fixture.media.forget_older(&owner, before),
        second.forget_older(&owner, before),
        fixture.media.forget_older(&owner, before),
    );
    assert_eq!(one.unwrap() + other.unwrap() + again.unwrap(), 20);
    let (files, size_bytes) = (1, 7);
    assert_eq!(usage(&fixture).await, Usage { files, size_bytes });
}

#[tokio::test]
async fn the_content_of_what_is_forgotten_is_swept() {
    let fixture = Fixture::sqlite().await;
    keep(&fixture, 100).await.unwrap();
    let written = fixture.stored_files()[0].metadata().unwrap().modified();
    let written = written.unwrap().duration_since(std::time::UNIX_EPOCH);
    let later = Timestamp::default().plus(written.unwrap() + 24 * HOUR);
    fixture.clock.set(later);
    let forgotten = fixture.media.forget_older(&user(OWNER), later).await;
    assert_eq!(forgotten.unwrap(), 1);
    let swept = Swept {
        unfinished: 0,
        orphans: 1,
    };
    assert_eq!(fixture.media.sweep().await.unwrap(), swept);
    assert!(fixture.stored_files().is_empty());
}

#[tokio::test]
async fn a_picture_from_elsewhere_is_made_small_and_is_stored_nowhere() {
    let fixture = Fixture::sqlite().await;
    let picture = include_bytes!("forgetting/grey.gif");
    let size = thumbnail::Size::fitting(800, 600, thumbnail::Method::Scale);
    let drawn = fixture.media.redraw(picture.as_slice().into(), size).await;
    let drawn = drawn.unwrap();
    assert_eq!((drawn.width, drawn.height), (1, 1));
    let refused = fixture
        .media
        .redraw(b"<svg/>".as_slice().into(), size)
        .await;
    assert!(refused.is_err());
    assert!(fixture.stored_files().is_empty());
    eventually("nobody is at work", || {
        let waits = fixture.clock.sleepers() > 0;
        async move { (!waits).then_some(()) }
    })
    .await;
}
