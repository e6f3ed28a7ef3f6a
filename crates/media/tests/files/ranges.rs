//! Reading any part gives what stands there, and reads no more than holds it.

use std::fs;

use bytes::Bytes;
use futures_util::TryStreamExt;
use media::{DownloadError, MediaId};
use proptest::prelude::*;

use super::fixture::{Fixture, content, new_file, pieces};

async fn read_part(
    fixture: &Fixture,
    id: &MediaId,
    at: u64,
    length: u64,
) -> Result<Vec<u8>, DownloadError> {
    let file = fixture.media.open(id).await?;
    let content = file.open_range(at, length).await?;
    let pieces: Vec<Bytes> = content.try_collect().await?;
    Ok(pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_part_is_what_stands_there(
        length in prop_oneof![0_usize..400_000, Just(65_536), Just(131_072)],
        piece in 1_000_usize..200_000,
        parts in prop::collection::vec(
            (0_u64..420_000, prop_oneof![0_u64..200_000, Just(u64::MAX)]),
            12,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let fixture = Fixture::sqlite().await;
            let plain = content(length);
            let file = new_file("@alice:localhost");
            let id = fixture.media.upload(file, pieces(&plain, piece)).await.unwrap();
            let end = length as u64;
            let edges = [0, 65_535, 65_536, end, end + 1].map(|at| (at, u64::MAX));
            let inner = [(65_535, 1), (65_535, 2), (65_536, 65_536), (0, 65_536)];
            for (at, wanted) in parts.into_iter().chain(edges).chain(inner) {
                match read_part(&fixture, &id, at, wanted).await {
                    Ok(part) => {
                        let to = end.min(at.saturating_add(wanted)) as usize;
                        assert!(part == plain[at as usize..to], "{wanted} from {at}");
                    }
                    Err(DownloadError::OutOfRange { size_bytes, offset }) => {
                        assert_eq!((size_bytes, offset), (end, at));
                        assert!(at > end);
                    }
                    Err(error) => panic!("{wanted} from {at}: {error}"),
                }
            }
        });
    }
}

#[tokio::test]
async fn only_the_chunks_of_the_part_are_read() {
    let fixture = Fixture::sqlite().await;
    let plain = content(5 * 65_536);
    let id = fixture.put(&plain).await;
    // Every chunk but the third is spoilt.
    let path = fixture.stored_files().remove(0);
    let mut sealed = fs::read(&path).unwrap();
    for chunk in [0, 1, 3, 4] {
        sealed[chunk * 65_552 + 9] ^= 1;
    }
    fs::write(&path, sealed).unwrap();
    let (from, to) = (2 * 65_536, 3 * 65_536);
    let part = read_part(&fixture, &id, from, 65_536).await.unwrap();
    assert!(part == plain[from as usize..to as usize]);
    for (at, length) in [(from - 1, 2), (to - 1, 2)] {
        let refused = read_part(&fixture, &id, at, length).await;
        assert!(matches!(refused, Err(DownloadError::Damaged { .. })));
    }
}
