//! Memory does not grow with a blob in S3. This is a program of its own: it measures itself, and
//! the server that it asks.
#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

#[expect(dead_code, reason = "the conformance tests use the rest")]
#[path = "../conformance/place.rs"]
mod place;

use std::{convert::Infallible, fs};

use blobs::Blobs;
use bytes::Bytes;
use futures_util::{TryStreamExt, stream};

use crate::place::{Place, new_id};

const PIECE: usize = 65_536;

/// Enough parts that everything that is made once is made.
const FEW: usize = 48 * 1_048_576 / PIECE;
const MANY: usize = 192 * 1_048_576 / PIECE;

/// What an upload and a download may take more, whatever the size: less than two parts.
const MOST_BYTES: u64 = 16 * 1_048_576;

/// The most memory that this process has ever had.
fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    kib.parse::<u64>().unwrap() * 1_024
}

/// Puts this many pieces, and reads them again.
async fn there_and_back(blobs: &Blobs, pieces: usize) {
    // Each piece is memory of its own, as what arrives from a network is.
    let piece = |at| Ok::<_, Infallible>(Bytes::from(vec![at as u8; PIECE]));
    let source = stream::iter((0..pieces).map(piece));
    let id = new_id();
    blobs.put(id, source).await.unwrap();
    let mut reading = blobs.get(id).await.unwrap();
    let mut read = 0;
    while let Some(piece) = reading.bytes.try_next().await.unwrap() {
        read += piece.len();
    }
    assert_eq!(read, pieces * PIECE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_blob_takes_no_more_memory_than_a_small_one() {
    let place = Place::s3().await;
    there_and_back(&place.blobs, FEW).await;
    let before = peak_bytes();
    there_and_back(&place.blobs, MANY).await;
    let grown = peak_bytes() - before;
    assert!(grown < MOST_BYTES, "{grown} bytes more");
}
