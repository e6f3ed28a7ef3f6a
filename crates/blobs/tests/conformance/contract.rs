//! The contract of blobs: written once, whole or not at all, readable in any part.

use std::convert::Infallible;

use blobs::{BlobError, PutError};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, future::join_all, stream};
use proptest::{
    prelude::{Just, Strategy},
    prop_oneof,
    strategy::ValueTree,
    test_runner::TestRunner,
};
use testkit::eventually;

use crate::{
    conformance,
    place::{EARLIER, LATER, Place, SEVERAL_PARTS, content, listed, new_id, pieces, read},
};

/// Exactly one part of an upload to S3.
const ONE_PART: usize = 8 * 1_048_576;

conformance! {
    async fn a_blob_reads_back_as_it_was_put(place: Place) {
        for (length, piece) in [
            (0, 1),
            (1, 1),
            (70_000, 1_000),
            (1_048_576, 65_552),
            (3_000_000, 900_000),
            (ONE_PART, 65_536),
            (2 * ONE_PART, 1_000_000),
            (4 * ONE_PART + 1, 5 * ONE_PART),
        ] {
            let (id, plain) = (new_id(), content(length));
            let put = place.blobs.put(id, pieces(&plain, piece)).await;
            assert_eq!(put.unwrap(), length as u64);
            let reading = place.blobs.get(id).await.unwrap();
            assert_eq!(reading.blob_bytes, length as u64);
            let back: Vec<Bytes> = reading.bytes.try_collect().await.unwrap();
            assert!(
                back.concat() == plain,
                "{length} bytes in pieces of {piece}"
            );
        }
    }

    async fn every_node_reads_what_one_has_put(place: Place) {
        let id = new_id();
        place.blobs.put(id, pieces(b"still here", 3)).await.unwrap();
        let other = place.another_node().await;
        assert_eq!(read(&other, id, 0, u64::MAX).await.unwrap(), b"still here");
    }

    async fn a_source_that_fails_leaves_nothing(place: Place) {
        for length in [600_000, SEVERAL_PARTS] {
            let id = new_id();
            let source = stream::iter([
                Ok(Bytes::from(content(length))),
                Ok(Bytes::from(content(5))),
                Err("the line was cut"),
            ]);
            let error = place.blobs.put(id, source).await.unwrap_err();
            assert!(matches!(error, PutError::Source("the line was cut")));
            assert_eq!(place.stored(), 0);
            let missing = place.blobs.get(id).await;
            assert!(matches!(missing, Err(BlobError::Missing(missing)) if missing == id));
        }
    }

    async fn a_put_that_nobody_waits_for_leaves_nothing(place: Place) {
        let blobs = place.blobs.clone();
        let endless = stream::iter([Ok::<_, Infallible>(Bytes::from(content(SEVERAL_PARTS)))])
            .chain(stream::pending());
        let put = tokio::spawn(async move { blobs.put(new_id(), endless).await.map_err(drop) });
        let begun = || async { (place.stored() > 0).then_some(()) };
        eventually("the put has begun", begun).await;
        put.abort();
        let gone = || async { (place.stored() == 0).then_some(()) };
        eventually("nothing is left", gone).await;
    }

    async fn nothing_is_there_before_it_is_whole(place: Place) {
        let id = new_id();
        let (send, receive) = tokio::sync::oneshot::channel::<()>();
        let last = stream::once(async move {
            receive.await.unwrap();
            Ok::<_, Infallible>(Bytes::from_static(b"!"))
        });
        let source = stream::iter([Ok(Bytes::from(content(SEVERAL_PARTS)))]).chain(last);
        let blobs = place.blobs.clone();
        let put = tokio::spawn(async move { blobs.put(id, source).await });
        let begun = || async { (place.stored() > 0).then_some(()) };
        eventually("the put has begun", begun).await;
        let early = place.blobs.get(id).await;
        assert!(matches!(early, Err(BlobError::Missing(_))));
        assert_eq!(listed(&place.blobs).await, []);
        assert!(place.blobs.is_empty().await.unwrap());
        send.send(()).unwrap();
        assert_eq!(put.await.unwrap().unwrap(), SEVERAL_PARTS as u64 + 1);
        let whole = read(&place.blobs, id, SEVERAL_PARTS as u64 - 1, 9).await;
        assert_eq!(whole.unwrap().len(), 2);
        assert_eq!(listed(&place.blobs).await, [id]);
        assert!(!place.blobs.is_empty().await.unwrap());
    }

    async fn a_blob_is_never_written_over(place: Place) {
        for length in [5, SEVERAL_PARTS] {
            let (id, plain) = (new_id(), content(length));
            place.blobs.put(id, pieces(&plain, 1_000_000)).await.unwrap();
            let other = place.another_node().await;
            let second = other.put(id, pieces(&vec![7; length + 1], 1_000_000)).await;
            assert!(matches!(second, Err(PutError::Blob(BlobError::Exists(_)))));
            assert!(read(&place.blobs, id, 0, u64::MAX).await.unwrap() == plain);
            assert!(place.blobs.delete(id).await.unwrap());
            assert_eq!(place.stored(), 0);
        }
    }

    async fn of_puts_of_one_id_at_once_one_succeeds(place: Place) {
        let other = place.another_node().await;
        for length in [300_000, SEVERAL_PARTS] {
            let id = new_id();
            let contents: Vec<Vec<u8>> = (0..4).map(|at| vec![at; length]).collect();
            let puts = contents.iter().enumerate().map(|(at, plain)| {
                let blobs = if at % 2 == 0 { &place.blobs } else { &other };
                blobs.put(id, pieces(plain, 100_000))
            });
            let done: Vec<bool> = join_all(puts).await.iter().map(Result::is_ok).collect();
            assert_eq!(done.iter().filter(|done| **done).count(), 1, "{done:?}");
            let winner = done.iter().position(|done| *done).unwrap();
            assert!(read(&place.blobs, id, 0, u64::MAX).await.unwrap() == contents[winner]);
            assert!(place.blobs.delete(id).await.unwrap());
            assert_eq!(place.stored(), 0);
        }
    }

    async fn many_puts_at_once_keep_their_contents_apart(place: Place) {
        let puts = (0..32_u8).map(|at| {
            let (blobs, id) = (place.blobs.clone(), new_id());
            tokio::spawn(async move {
                let plain = vec![at; 400_000];
                blobs.put(id, pieces(&plain, 7_000)).await.unwrap();
                assert!(read(&blobs, id, 0, u64::MAX).await.unwrap() == plain);
            })
        });
        for put in join_all(puts).await {
            put.unwrap();
        }
        assert_eq!(place.stored(), 32);
    }

    async fn a_deleted_blob_is_gone_at_once(place: Place) {
        let id = new_id();
        place.blobs.put(id, pieces(b"x", 1)).await.unwrap();
        assert!(place.blobs.delete(id).await.unwrap());
        assert!(!place.blobs.delete(id).await.unwrap());
        let gone = place.blobs.get(id).await;
        assert!(matches!(gone, Err(BlobError::Missing(_))));
        assert_eq!(place.stored(), 0);
    }

    async fn what_is_whole_is_not_swept(place: Place) {
        for length in [5, SEVERAL_PARTS] {
            let (id, plain) = (new_id(), content(length));
            place.blobs.put(id, pieces(&plain, 1_000_000)).await.unwrap();
            assert_eq!(place.blobs.sweep_temporary(LATER).await.unwrap(), 0);
            assert!(read(&place.blobs, id, 0, u64::MAX).await.unwrap() == plain);
        }
        let first_bytes = 0..=255_u8;
        for first_byte in first_bytes {
            let old = place.blobs.written_before(EARLIER, first_byte).await;
            assert_eq!(old.unwrap(), []);
        }
    }

    async fn any_range_is_that_part_of_the_whole(place: Place) {
        let mut runner = TestRunner::deterministic();
        for length in [0_usize, 1, 50_000, 700_000] {
            let (id, plain) = (new_id(), content(length));
            place.blobs.put(id, pieces(&plain, 50_000)).await.unwrap();
            let most = length as u64 + 2;
            let offsets = prop_oneof![0..most, Just(0), Just(length as u64), Just(most)];
            let lengths = prop_oneof![0..most, Just(0), Just(u64::MAX), Just(u64::MAX / 2)];
            for _ in 0..48 {
                let drawn = (&offsets, &lengths).new_tree(&mut runner).unwrap();
                let (offset, wanted) = drawn.current();
                let read = read(&place.blobs, id, offset, wanted).await;
                if offset > length as u64 {
                    assert!(matches!(read, Err(BlobError::OutOfRange { .. })));
                } else {
                    let end = offset.saturating_add(wanted).min(length as u64);
                    let part = &plain[offset as usize..end as usize];
                    assert!(read.unwrap() == part, "{wanted} from {offset} of {length}");
                }
            }
        }
    }
}
