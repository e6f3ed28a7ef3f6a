//! Ids before their content.

use std::time::Duration;

use futures_util::future::join_all;
use media::{DownloadError, MAX_PENDING, MediaId, NewFile, ReserveError, UploadError, Usage};
use testkit::eventually;

use super::fixture::{Fixture, MAX_PER_USER_BYTES, content, new_file, pieces, read, user};

const ALICE: &str = "@alice:localhost";
const BOB: &str = "@bob:localhost";
const DAY: Duration = Duration::from_secs(86_400);

async fn put(fixture: &Fixture, id: &MediaId, who: &str, plain: &[u8]) -> Result<(), UploadError> {
    let source = pieces(plain, 1_000);
    fixture.media.upload_to(id, new_file(who), source).await
}

#[tokio::test]
async fn an_id_takes_content_once_and_of_its_owner() {
    for fixture in Fixture::both().await {
        let reserved = fixture.media.reserve(user(ALICE)).await.unwrap();
        let id = &reserved.id;
        let waiting = fixture.media.open(id).await;
        assert!(matches!(waiting, Err(DownloadError::NotYetUploaded)));
        let other = put(&fixture, id, BOB, b"x").await;
        assert!(matches!(other, Err(UploadError::NotOwner)), "{other:?}");
        put(&fixture, id, ALICE, b"first").await.unwrap();
        assert_eq!(read(&fixture.media, id, 0).await.unwrap(), b"first");
        let again = put(&fixture, id, ALICE, b"second").await;
        assert!(matches!(again, Err(UploadError::HasContent)), "{again:?}");
        let other = put(&fixture, id, BOB, b"x").await;
        assert!(matches!(other, Err(UploadError::NotOwner)), "{other:?}");
        assert_eq!(read(&fixture.media, id, 0).await.unwrap(), b"first");
        let unknown = MediaId::parse(&"u".repeat(32)).unwrap();
        let nowhere = put(&fixture, &unknown, ALICE, b"x").await;
        assert!(matches!(nowhere, Err(UploadError::NoSuchId)));
        assert_eq!(fixture.stored_files().len(), 1);
    }
}

#[tokio::test]
async fn of_two_racing_uploads_to_one_id_one_stands_and_nothing_is_left_of_the_other() {
    let fixture = Fixture::postgres().await;
    let other = fixture.second_node().await;
    for round in 0..6_u8 {
        let reserved = fixture.media.reserve(user(ALICE)).await.unwrap();
        let uploads = [&fixture.media, &other].map(|media| {
            let (media, id) = (media.clone(), reserved.id.clone());
            async move {
                let source = pieces(&[round; 70_000], 7_000);
                media.upload_to(&id, new_file(ALICE), source).await
            }
        });
        let ended = join_all(uploads).await;
        let refused: Vec<_> = ended.into_iter().filter_map(Result::err).collect();
        assert!(
            matches!(refused[..], [UploadError::HasContent]),
            "{refused:?}"
        );
    }
    assert_eq!(fixture.stored_files().len(), 6);
    let usage = fixture.media.usage(&user(ALICE)).await.unwrap();
    assert_eq!((usage.files, usage.size_bytes), (6, 6 * 70_000));
}

#[tokio::test]
async fn an_id_that_is_not_used_expires_and_is_forgotten() {
    for fixture in Fixture::both().await {
        let reserved = fixture.media.reserve(user(ALICE)).await.unwrap();
        fixture.clock.advance(DAY - Duration::from_secs(1));
        fixture.media.sweep().await.unwrap();
        let waiting = fixture.media.open(&reserved.id).await;
        assert!(matches!(waiting, Err(DownloadError::NotYetUploaded)));
        fixture.clock.advance(Duration::from_secs(2));
        let late = put(&fixture, &reserved.id, ALICE, b"x").await;
        assert!(matches!(late, Err(UploadError::NoSuchId)));
        let gone = fixture.media.open(&reserved.id).await;
        assert!(matches!(gone, Err(DownloadError::Missing)));
        let head = fixture.log.applied();
        fixture.media.sweep().await.unwrap();
        let swept = fixture.log.applied();
        assert!(swept > head, "the row is forgotten, in the log");
        fixture.media.sweep().await.unwrap();
        assert_eq!(fixture.log.applied(), swept, "and there is no other");
    }
}

#[tokio::test]
async fn unused_ids_are_few() {
    for fixture in Fixture::both().await {
        let reserve = || fixture.media.reserve(user(ALICE));
        let first = reserve().await.unwrap();
        fixture.clock.advance(DAY / 2);
        let more = join_all((1..MAX_PENDING + 5).map(|_| reserve())).await;
        assert_eq!(
            more.iter().filter(|ended| ended.is_ok()).count(),
            MAX_PENDING - 1
        );
        let Err(ReserveError::TooManyPending { retry_after }) = reserve().await else {
            panic!("one more is refused");
        };
        assert_eq!(retry_after, DAY / 2);
        fixture.media.reserve(user(BOB)).await.unwrap();
        // A used one makes room, and so does one that has expired.
        put(&fixture, &first.id, ALICE, b"x").await.unwrap();
        reserve().await.unwrap();
        assert!(reserve().await.is_err());
        fixture.clock.advance(2 * DAY);
        reserve().await.unwrap();
    }
}

#[tokio::test]
async fn who_waits_is_woken_by_the_upload_on_any_node() {
    let (sqlite, postgres) = (Fixture::sqlite().await, Fixture::postgres().await);
    let other = postgres.second_node().await;
    for (fixture, waiter) in [(&sqlite, sqlite.media.clone()), (&postgres, other)] {
        let reserved = fixture.media.reserve(user(ALICE)).await.unwrap();
        let id = reserved.id.clone();
        let waiting = tokio::spawn(async move {
            let file = waiter.open_within(&id, Duration::from_secs(20)).await;
            file.map(|file| file.size_bytes())
        });
        eventually("the download waits", || {
            let sleeps = fixture.clock.sleepers() > 0;
            async move { sleeps.then_some(()) }
        })
        .await;
        put(fixture, &reserved.id, ALICE, b"here").await.unwrap();
        assert_eq!(waiting.await.unwrap().unwrap(), 4);
    }
}

#[tokio::test]
async fn who_waits_too_long_is_told_that_it_has_not_come() {
    let fixture = Fixture::sqlite().await;
    let reserved = fixture.media.reserve(user(ALICE)).await.unwrap();
    let id = reserved.id.clone();
    let at_once = fixture.media.open_within(&id, Duration::ZERO).await;
    assert!(matches!(at_once, Err(DownloadError::NotYetUploaded)));
    let media = fixture.media.clone();
    let waiting = tokio::spawn(async move {
        let file = media.open_within(&id, Duration::from_secs(3_600)).await;
        file.map(drop)
    });
    eventually("the download waits", || {
        let sleeps = fixture.clock.sleepers() > 0;
        async move { sleeps.then_some(()) }
    })
    .await;
    // What somebody else uploads is no news.
    fixture.put(b"x").await;
    assert!(!waiting.is_finished());
    fixture.clock.advance(Duration::from_secs(60));
    let ended = waiting.await.unwrap();
    assert!(matches!(ended, Err(DownloadError::NotYetUploaded)));
}

#[tokio::test]
async fn a_user_has_no_more_than_the_quota() {
    for fixture in Fixture::both().await {
        let half = content(MAX_PER_USER_BYTES as usize / 4);
        for _ in 0..3 {
            fixture.put(&half).await;
        }
        let announced = NewFile {
            size_bytes: Some(half.len() as u64 + 1),
            ..new_file(ALICE)
        };
        let unread = futures_util::stream::repeat_with(
            || -> Result<bytes::Bytes, std::convert::Infallible> { panic!("it was read") },
        );
        let refused = fixture.media.upload(announced, unread).await;
        assert!(matches!(refused, Err(UploadError::QuotaReached)));
        let larger = [&half[..], b"x"].concat();
        let unannounced = fixture.media.upload(new_file(ALICE), pieces(&larger, 999));
        let refused = unannounced.await;
        assert!(matches!(refused, Err(UploadError::QuotaReached)));
        assert_eq!(fixture.stored_files().len(), 3);
        fixture.put(&half).await;
        let refused = fixture.media.upload(new_file(ALICE), pieces(b"x", 1)).await;
        assert!(matches!(refused, Err(UploadError::QuotaReached)));
        // Others have their own.
        let theirs = fixture.media.upload(new_file(BOB), pieces(&half, 999));
        theirs.await.unwrap();
    }
}

#[tokio::test]
async fn of_uploads_that_race_for_the_rest_of_a_quota_one_is_kept() {
    let fixture = Fixture::postgres().await;
    let other = fixture.second_node().await;
    // Each alone would fit; two do not.
    let plain = content(MAX_PER_USER_BYTES as usize / 2 + 1);
    let uploads = [&fixture.media, &fixture.media, &other, &other].map(|media| {
        let (media, plain) = (media.clone(), &plain);
        async move {
            let source = pieces(plain, 50_000);
            media.upload(new_file(ALICE), source).await
        }
    });
    let ended = join_all(uploads).await;
    let kept = ended.iter().filter(|ended| ended.is_ok()).count();
    assert_eq!(kept, 1, "{ended:?}");
    let refused = ended.into_iter().filter_map(Result::err);
    for error in refused {
        assert!(matches!(error, UploadError::QuotaReached), "{error}");
    }
    assert_eq!(fixture.stored_files().len(), 1);
    let usage = fixture.media.usage(&user(ALICE)).await.unwrap();
    let expected = Usage {
        files: 1,
        size_bytes: plain.len() as u64,
    };
    assert_eq!(usage, expected);
}
