//! Nothing of a file can be read on the disk.

use std::fs;

use base64::{Engine, engine::general_purpose::STANDARD};
use media::NewFile;

use super::fixture::{Fixture, files_below, new_file, pieces};

const MARKERS: [&str; 3] = [
    "MARKER-of-the-content-0193",
    "application/x-MARKER-of-the-type-4471",
    "MARKER-of-the-name-8820.pdf",
];

/// The marker as it stands, in base64 at each of the three alignments, and in UTF-16.
fn forms(marker: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![marker.as_bytes().to_vec()];
    for lead in 0..3 {
        let padded = [vec![0; lead], marker.as_bytes().to_vec()].concat();
        let text = STANDARD.encode(padded);
        // The first and last characters hold bits of the neighbours too.
        forms.push(text.as_bytes()[4..text.len() - 4].to_vec());
    }
    forms.push(marker.encode_utf16().flat_map(u16::to_le_bytes).collect());
    forms
}

fn is_found(fixture: &Fixture, marker: &str) -> bool {
    let forms = forms(marker);
    files_below(fixture.folder.path()).iter().any(|path| {
        let bytes = fs::read(path).unwrap();
        forms
            .iter()
            .any(|form| bytes.windows(form.len()).any(|window| window == form))
    })
}

#[tokio::test]
async fn content_type_and_name_are_stored_sealed_only() {
    let fixture = Fixture::sqlite().await;
    let content = MARKERS[0].repeat(4_000);
    let file = NewFile {
        content_type: Some(MARKERS[1].to_owned()),
        file_name: Some(MARKERS[2].to_owned()),
        ..new_file("@alice:localhost")
    };
    let source = pieces(content.as_bytes(), 5_000);
    fixture.media.upload(file, source).await.unwrap();
    for marker in MARKERS {
        assert!(!is_found(&fixture, marker), "{marker}");
    }

    // The search itself finds what is not sealed.
    let control = fixture.folder.path().join("control");
    for marker in MARKERS {
        fs::write(&control, STANDARD.encode(format!("xy{marker}z"))).unwrap();
        assert!(is_found(&fixture, marker), "{marker}");
    }
}

#[tokio::test]
async fn an_unfinished_upload_is_sealed_too() {
    use bytes::Bytes;
    use futures_util::{StreamExt, stream};

    let fixture = Fixture::sqlite().await;
    let content = MARKERS[0].repeat(30_000);
    let source = pieces(content.as_bytes(), 5_000).chain(stream::pending());
    let media = fixture.media.clone();
    let upload = tokio::spawn(async move {
        let source = source.map(|piece: Result<Bytes, _>| piece);
        media
            .upload(new_file("@alice:localhost"), source)
            .await
            .map(drop)
    });
    testkit::eventually("something is written", || {
        let written = fixture.stored_files().iter().any(|path| {
            let size = path.metadata().map_or(0, |metadata| metadata.len());
            size > 500_000
        });
        async move { written.then_some(()) }
    })
    .await;
    assert!(!is_found(&fixture, MARKERS[0]));
    upload.abort();
    testkit::eventually("the unfinished upload is gone", || {
        let gone = fixture.stored_files().is_empty();
        async move { gone.then_some(()) }
    })
    .await;
}
