//! Thumbnails of stored files: made once, sealed, and gone with their file.

use std::{fs, io::Cursor, time::Duration};

use futures_util::{TryStreamExt, future::join_all};
use image::{ImageFormat, RgbImage};
use media::{
    DownloadError, MediaId, StoredFile, ThumbnailError,
    thumbnail::{Method, RenderError, Size},
};
use model::time::Timestamp;
use store::LocalWrite;

use super::fixture::{Fixture, read};

fn picture() -> Vec<u8> {
    let picture = RgbImage::from_fn(700, 500, |x, y| image::Rgb([x as u8, y as u8, 90]));
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, ImageFormat::Png).unwrap();
    file.into_inner()
}

fn small() -> Size {
    Size::fitting(96, 96, Method::Crop)
}

async fn thumbnail(fixture: &Fixture, id: &MediaId) -> Result<StoredFile, ThumbnailError> {
    let media = &fixture.media;
    media.thumbnail(id, small(), Duration::ZERO).await
}

async fn bytes(file: &StoredFile) -> Vec<u8> {
    let content = file.open_at(0).await.unwrap();
    let pieces: Vec<bytes::Bytes> = content.try_collect().await.unwrap();
    pieces.concat()
}

#[tokio::test]
async fn a_thumbnail_is_made_once_and_found_again() {
    for fixture in Fixture::both().await {
        let id = fixture.put(&picture()).await;
        let made = thumbnail(&fixture, &id).await.unwrap();
        assert_eq!(made.content_type.as_deref(), Some("image/jpeg"));
        assert_eq!(made.file_name, None);
        let shown = image::load_from_memory(&bytes(&made).await).unwrap();
        assert_eq!((shown.width(), shown.height()), (96, 96));
        let head = fixture.log.applied();
        let found = thumbnail(&fixture, &id).await.unwrap();
        assert_eq!(bytes(&found).await, bytes(&made).await);
        assert_eq!(fixture.log.applied(), head, "it is not made again");
        assert_eq!(fixture.stored_files().len(), 2);
    }
}

#[tokio::test]
async fn many_who_ask_at_once_get_one_thumbnail_on_each_node() {
    let fixture = Fixture::postgres().await;
    let other = fixture.second_node().await;
    let id = fixture.put(&picture()).await;
    let asked = (0..12).map(|at| {
        let media = if at % 2 == 0 { &fixture.media } else { &other };
        media.thumbnail(&id, small(), Duration::ZERO)
    });
    for made in join_all(asked).await {
        assert!(bytes(&made.unwrap()).await.starts_with(b"\xff\xd8"));
    }
    assert_eq!(fixture.stored_files().len(), 2);
}

#[tokio::test]
async fn a_thumbnail_stands_on_the_disk_sealed_only() {
    let fixture = Fixture::sqlite().await;
    let id = fixture.put(&picture()).await;
    let made = thumbnail(&fixture, &id).await.unwrap();
    let plain = bytes(&made).await;
    let piece = &plain[plain.len() / 2..plain.len() / 2 + 16];
    for path in super::fixture::files_below(fixture.folder.path()) {
        let stored = fs::read(&path).unwrap();
        let found = stored.windows(16).any(|window| window == piece);
        assert!(!found, "{}", path.display());
    }
}

#[tokio::test]
async fn what_is_no_picture_or_a_bomb_is_refused_and_leaves_nothing() {
    let fixture = Fixture::sqlite().await;
    let text = fixture.put(b"sealed by its sender").await;
    let mut bomb = picture();
    // A PNG that says to be 2,000,000,000 pixels wide.
    bomb[16..20].copy_from_slice(&2_000_000_000_u32.to_be_bytes());
    let bomb = fixture.put(&bomb).await;
    for _ in 0..2 {
        let refused = thumbnail(&fixture, &text).await;
        let Err(ThumbnailError::Refused(RenderError::Unsupported)) = refused else {
            panic!("text has no thumbnail");
        };
        let refused = thumbnail(&fixture, &bomb).await;
        assert!(matches!(refused, Err(ThumbnailError::Refused(_))));
    }
    assert_eq!(fixture.stored_files().len(), 2);
    let unknown = MediaId::parse(&"u".repeat(32)).unwrap();
    let missing = thumbnail(&fixture, &unknown).await;
    let Err(ThumbnailError::File(DownloadError::Missing)) = missing else {
        panic!("what does not exist has no thumbnail");
    };
}

#[tokio::test]
async fn a_thumbnail_goes_with_its_file_and_not_before() {
    for fixture in Fixture::both().await {
        let plain = picture();
        let (kept, removed) = (fixture.put(&plain).await, fixture.put(&plain).await);
        for id in [&kept, &removed] {
            thumbnail(&fixture, id).await.unwrap();
        }
        let newest = fixture.stored_files().into_iter().map(|path| {
            let written = path.metadata().unwrap().modified().unwrap();
            written.duration_since(std::time::UNIX_EPOCH).unwrap()
        });
        let newest = newest.max().unwrap();
        fixture.clock.set(Timestamp::default().plus(newest));
        fixture.clock.advance(Duration::from_secs(2 * 86_400));
        assert_eq!(fixture.media.sweep().await.unwrap().orphans, 0);
        // As whatever will remove files one day.
        let sql = "DELETE FROM media WHERE id = $1";
        let write = LocalWrite::new().and(sql, vec![removed.as_str().into()]);
        fixture.log.write_local(write).await.unwrap();
        assert_eq!(fixture.media.sweep().await.unwrap().orphans, 2);
        assert_eq!(fixture.stored_files().len(), 2);
        assert!(read(&fixture.media, &kept, 0).await.unwrap() == plain);
        bytes(&thumbnail(&fixture, &kept).await.unwrap()).await;
        let gone = thumbnail(&fixture, &removed).await;
        assert!(matches!(gone, Err(ThumbnailError::File(_))));
    }
}
