//! S3 that fails, breaks off, lies or is away: what was acknowledged is there, nothing is readable
//! half-written, and no reading ends early as if that were the end.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use blobs::{BlobError, BlobId, Blobs, PutError};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use testkit::{
    clock::FakeClock,
    eventually,
    s3::{Asked, Fate, S3Server},
};

use crate::place::{
    EARLIER, LATER, SEVERAL_PARTS, content, listed, new_id, open, options, pieces, read,
};

async fn bucket() -> (S3Server, Blobs) {
    let server = S3Server::start().await;
    let blobs = open(&options(&server), &FakeClock::default())
        .await
        .unwrap();
    (server, blobs)
}

async fn put(blobs: &Blobs, plain: &[u8]) -> Result<BlobId, PutError<Infallible>> {
    let id = new_id();
    blobs.put(id, pieces(plain, 500_000)).await.map(|_| id)
}

/// Gives the first requests that are meant this fate, and answers the others.
fn first(
    server: &S3Server,
    count: usize,
    fate: Fate,
    is_meant: impl Fn(&Asked) -> bool + Send + Sync + 'static,
) -> Arc<AtomicUsize> {
    let met = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&met);
    server.judge(move |asked| {
        if is_meant(asked) && counted.fetch_add(1, Ordering::SeqCst) < count {
            fate
        } else {
            Fate::Answered
        }
    });
    met
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_succeeds_when_s3_fails_for_a_while() {
    let (server, blobs) = bucket().await;
    for length in [70_000, SEVERAL_PARTS] {
        let plain = content(length);
        for fate in [Fate::Refused(503), Fate::Refused(500), Fate::Unheard] {
            for method in ["PUT", "POST"] {
                let met = first(&server, 2, fate, move |asked| asked.method == method);
                let id = put(&blobs, &plain).await.unwrap();
                let is_asked = method == "PUT" || length == SEVERAL_PARTS;
                assert_eq!(met.load(Ordering::SeqCst) > 2, is_asked, "{fate:?}");
                assert!(read(&blobs, id, 0, u64::MAX).await.unwrap() == plain);
            }
        }
    }
    // An upload whose beginning was answered to nobody is all that may be left.
    assert!(server.unfinished() <= 2);
    let swept = blobs.sweep_temporary(LATER).await.unwrap();
    assert_eq!((swept > 0, server.unfinished()), (true, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_that_s3_refuses_fails_and_leaves_nothing() {
    let (server, blobs) = bucket().await;
    for length in [70_000, SEVERAL_PARTS] {
        for (method, query) in [("PUT", ""), ("POST", "uploads"), ("POST", "uploadId")] {
            server.judge(move |asked| {
                let is_meant = asked.method == method && asked.query.starts_with(query);
                if is_meant {
                    Fate::Refused(403)
                } else {
                    Fate::Answered
                }
            });
            let refused = put(&blobs, &content(length)).await;
            let is_asked = method == "PUT" || length == SEVERAL_PARTS;
            assert_eq!(refused.is_err(), is_asked, "{method} {query}");
            server.relent();
            assert_eq!(server.unfinished(), 0);
            if let Ok(id) = refused {
                assert!(blobs.delete(id).await.unwrap());
            }
            assert_eq!(listed(&blobs).await, []);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_breaks_off_is_taken_up_again_where_it_broke() {
    let (server, blobs) = bucket().await;
    let plain = content(3_000_000);
    let id = put(&blobs, &plain).await.unwrap();
    for (offset, length) in [(0, u64::MAX), (1_000_000, 1_500_000)] {
        let met = first(&server, 3, Fate::Cut(400_000), |asked| {
            asked.method == "GET"
        });
        let back = read(&blobs, id, offset, length).await.unwrap();
        let end = offset.saturating_add(length).min(plain.len() as u64);
        assert!(back == plain[offset as usize..end as usize]);
        assert_eq!(met.load(Ordering::SeqCst), 4);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reading_that_cannot_be_finished_fails_and_does_not_end() {
    let (server, blobs) = bucket().await;
    let plain = content(900_000);
    let id = put(&blobs, &plain).await.unwrap();
    for fate in [
        Fate::Cut(10),
        Fate::Cut(0),
        Fate::Shortened(300_000),
        Fate::Shortened(0),
        Fate::Refused(500),
    ] {
        for (offset, length) in [(0, u64::MAX), (100, 500_000)] {
            server.judge(move |asked| match asked.method.as_str() {
                "GET" => fate,
                _ => Fate::Answered,
            });
            let failed = read(&blobs, id, offset, length).await;
            assert!(matches!(failed, Err(BlobError::S3 { .. })), "{fate:?}");
        }
    }
    server.relent();
    assert!(read(&blobs, id, 0, u64::MAX).await.unwrap() == plain);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_stops_is_given_up() {
    let server = S3Server::start().await;
    let clock = FakeClock::default();
    let blobs = open(&options(&server), &clock).await.unwrap();
    let plain = content(900_000);
    let id = put(&blobs, &plain).await.unwrap();
    let met = first(&server, 1, Fate::Stuck(300_000), |asked| {
        asked.method == "GET"
    });
    let reading = blobs.get(id).await.unwrap();
    let reading = tokio::spawn(reading.bytes.try_collect::<Vec<Bytes>>());
    // The rest is asked for again once nothing has come for long.
    eventually("the rest was asked for", || {
        clock.advance(Duration::from_secs(10));
        let met = met.load(Ordering::SeqCst);
        async move { (met == 2).then_some(()) }
    })
    .await;
    assert!(reading.await.unwrap().unwrap().concat() == plain);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_an_absence_and_what_was_not_is_not_there() {
    let (mut server, blobs) = bucket().await;
    let plain = content(SEVERAL_PARTS);
    let kept = put(&blobs, &plain).await.unwrap();
    // S3 goes away when the first parts are there.
    let id = new_id();
    let (send, receive) = tokio::sync::oneshot::channel::<()>();
    let last = stream::once(async move {
        receive.await.unwrap();
        Ok::<_, Infallible>(Bytes::from(content(SEVERAL_PARTS)))
    });
    let source = stream::iter([Ok(Bytes::from(content(SEVERAL_PARTS)))]).chain(last);
    let putting = blobs.clone();
    let lost = tokio::spawn(async move { putting.put(id, source).await });
    eventually("the upload has begun", || {
        let begun = server.unfinished() > 0;
        async move { begun.then_some(()) }
    })
    .await;
    server.stop();
    send.send(()).unwrap();
    let lost = lost.await.unwrap();
    assert!(matches!(lost, Err(PutError::Blob(BlobError::S3 { .. }))));
    let away = blobs.get(kept).await;
    assert!(matches!(away, Err(BlobError::S3 { .. })));

    server.restart().await;
    assert!(read(&blobs, kept, 0, u64::MAX).await.unwrap() == plain);
    assert!(matches!(blobs.get(id).await, Err(BlobError::Missing(_))));
    assert_eq!(listed(&blobs).await, [kept]);
    assert_eq!(server.unfinished(), 1);
    assert_eq!(blobs.sweep_temporary(EARLIER).await.unwrap(), 0);
    assert_eq!(blobs.sweep_temporary(LATER).await.unwrap(), 1);
    assert_eq!(server.unfinished(), 0);
    put(&blobs, &plain).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_may_not_remove_what_is_unfinished_does_not_stop_the_sweep() {
    let (server, blobs) = bucket().await;
    let begin = stream::iter([
        Ok(Bytes::from(content(SEVERAL_PARTS))),
        Err("the line was cut"),
    ]);
    server.judge(|asked| match asked.method.as_str() {
        "DELETE" => Fate::Refused(403),
        _ => Fate::Answered,
    });
    let cut = blobs.put(new_id(), begin).await;
    assert!(matches!(cut, Err(PutError::Source("the line was cut"))));
    assert_eq!(server.unfinished(), 1);
    assert_eq!(blobs.sweep_temporary(LATER).await.unwrap(), 0);
    server.judge(|asked| match asked.query.starts_with("uploads=&") {
        true => Fate::Refused(403),
        false => Fate::Answered,
    });
    assert_eq!(blobs.sweep_temporary(LATER).await.unwrap(), 0);
    // S3 that fails is no S3 that refuses.
    server.judge(|_| Fate::Refused(500));
    assert!(blobs.sweep_temporary(LATER).await.is_err());
    server.relent();
    assert_eq!(blobs.sweep_temporary(LATER).await.unwrap(), 1);
    assert_eq!(server.unfinished(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_conditions_or_lists_of_uploads_serves_too() {
    let server = S3Server::start().await;
    server.judge(|asked| {
        if asked.is_conditional || asked.query.starts_with("uploads=&") {
            Fate::Refused(501)
        } else {
            Fate::Answered
        }
    });
    let blobs = open(&options(&server), &FakeClock::default())
        .await
        .unwrap();
    for length in [70_000, SEVERAL_PARTS] {
        let plain = content(length);
        let id = put(&blobs, &plain).await.unwrap();
        let again = blobs.put(id, pieces(b"again", 5)).await;
        assert!(matches!(again, Err(PutError::Blob(BlobError::Exists(_)))));
        let again = blobs
            .put(id, pieces(&vec![1; SEVERAL_PARTS], 1_000_000))
            .await;
        assert!(matches!(again, Err(PutError::Blob(BlobError::Exists(_)))));
        assert!(read(&blobs, id, 0, u64::MAX).await.unwrap() == plain);
    }
    assert_eq!(server.unfinished(), 0);
    assert_eq!(blobs.sweep_temporary(LATER).await.unwrap(), 0);
}
