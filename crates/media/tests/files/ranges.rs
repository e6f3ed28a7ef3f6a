//! Reading from any place gives what stands there.

use media::DownloadError;
use proptest::prelude::*;

use super::fixture::{Fixture, content, new_file, pieces, read};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_place_gives_the_rest_of_the_file(
        length in prop_oneof![0_usize..400_000, Just(65_536), Just(131_072)],
        piece in 1_000_usize..200_000,
        places in prop::collection::vec(0_u64..420_000, 12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let fixture = Fixture::sqlite().await;
            let plain = content(length);
            let file = new_file("@alice:localhost");
            let id = fixture.media.upload(file, pieces(&plain, piece)).await.unwrap();
            let end = length as u64;
            for at in places.into_iter().chain([0, 65_535, 65_536, end, end + 1]) {
                match read(&fixture.media, &id, at).await {
                    Ok(rest) => assert!(rest == plain[at as usize..], "from {at}"),
                    Err(DownloadError::OutOfRange { size_bytes, offset }) => {
                        assert_eq!((size_bytes, offset), (end, at));
                        assert!(at > end);
                    }
                    Err(error) => panic!("from {at}: {error}"),
                }
            }
        });
    }
}
