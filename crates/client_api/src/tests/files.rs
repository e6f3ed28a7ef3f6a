//! Uploads and downloads, as a client sees them.

use std::{fs, io, path::Path};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response};
use http_body_util::BodyExt;
use serde_json::json;
use tower::ServiceExt;

use super::{Answer, Face, bare, home::MAX_FILE_BYTES, request};

const UPLOAD: &str = "/_matrix/media/v3/upload";
const DOWNLOAD: &str = "/_matrix/client/v1/media/download";

async fn upload(face: &Face, query: &str, content_type: &str, body: impl Into<Body>) -> Answer {
    let mut request = request("alice", "POST", &format!("{UPLOAD}{query}"), body);
    if !content_type.is_empty() {
        let headers = request.headers_mut();
        headers.insert("Content-Type", content_type.parse().unwrap());
    }
    face.ask(request).await
}

/// The path under `DOWNLOAD` of what was uploaded.
fn place(answer: &Answer) -> String {
    let address = answer.body["content_uri"].as_str();
    address.unwrap().strip_prefix("mxc:/").unwrap().to_owned()
}

async fn raw(face: &Face, token: &str, path: &str) -> Response<Body> {
    let request = request(token, "GET", &format!("{DOWNLOAD}{path}"), "");
    face.router.clone().oneshot(request).await.unwrap()
}

async fn download(face: &Face, path: &str) -> (Response<()>, Vec<u8>) {
    let (parts, body) = raw(face, "bob", path).await.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (Response::from_parts(parts, ()), bytes.to_vec())
}

fn header<'a>(response: &'a Response<()>, name: &str) -> &'a str {
    response.headers()[name].to_str().unwrap()
}

#[tokio::test]
async fn what_one_uploads_another_downloads() {
    let face = Face::without_samples();
    let content: Vec<u8> = (0..300_000_u32).map(|at| (at % 251) as u8).collect();
    let answer = upload(
        &face,
        "?filename=%E7%8C%AB.png",
        "image/png",
        content.clone(),
    )
    .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let place = place(&answer);
    assert!(place.starts_with("/localhost/"), "{place}");

    let (response, bytes) = download(&face, &place).await;
    assert_eq!(response.status(), 200);
    assert!(bytes == content);
    for (name, value) in [
        ("content-type", "image/png"),
        ("content-length", "300000"),
        (
            "content-disposition",
            "inline; filename*=utf-8''%E7%8C%AB.png",
        ),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-resource-policy", "cross-origin"),
        ("cache-control", "private, max-age=31536000, immutable"),
        ("access-control-allow-origin", "*"),
    ] {
        assert_eq!(header(&response, name), value, "{name}");
    }
    let policy = header(&response, "content-security-policy");
    assert!(
        policy.starts_with("sandbox; default-src 'none'; script-src 'none';"),
        "{policy}"
    );

    let (response, bytes) = download(&face, &format!("{place}/dog%20x.png")).await;
    assert_eq!(
        header(&response, "content-disposition"),
        "inline; filename=\"dog x.png\""
    );
    assert!(bytes == content);
}

#[tokio::test]
async fn what_could_run_in_a_browser_is_only_to_be_saved() {
    let face = Face::without_samples();
    for (content_type, answered) in [
        ("text/html", "text/html"),
        ("image/svg+xml", "image/svg+xml"),
        ("nonsense", "application/octet-stream"),
        ("", "application/octet-stream"),
    ] {
        let place = place(&upload(&face, "", content_type, "<script>").await);
        let (response, _) = download(&face, &place).await;
        assert_eq!(header(&response, "content-type"), answered);
        assert_eq!(header(&response, "content-disposition"), "attachment");
    }
}

#[tokio::test]
async fn an_empty_file_is_a_file() {
    let face = Face::without_samples();
    let place = place(&upload(&face, "", "text/plain", "").await);
    let (response, bytes) = download(&face, &place).await;
    assert_eq!((response.status().as_u16(), bytes.len()), (200, 0));
    assert_eq!(header(&response, "content-length"), "0");
}

#[tokio::test]
async fn a_head_request_tells_what_a_download_would() {
    let face = Face::without_samples();
    let place = place(&upload(&face, "", "text/plain", "12345").await);
    let request = request("bob", "HEAD", &format!("{DOWNLOAD}{place}"), "");
    let response = face.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.headers()["content-length"], "5");
    assert!(
        response
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .is_empty()
    );
}

#[tokio::test]
async fn nobody_reads_or_writes_without_a_token() {
    let face = Face::without_samples();
    let place = place(&upload(&face, "", "text/plain", "x").await);
    for (method, path) in [
        ("POST", UPLOAD.to_owned()),
        ("GET", format!("{DOWNLOAD}{place}")),
        ("GET", format!("{DOWNLOAD}{place}/name")),
        (
            "GET",
            format!("/_matrix/client/v1/media/thumbnail{place}?width=9&height=9"),
        ),
        ("POST", "/_matrix/media/v1/create".to_owned()),
        ("PUT", format!("{UPLOAD}{place}")),
        ("GET", "/_matrix/client/v1/media/config".to_owned()),
        ("GET", "/_matrix/media/v3/config".to_owned()),
    ] {
        let answer = face.ask(bare(method, &path)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.errcode()),
            (401, "M_MISSING_TOKEN"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_largest_size_is_told_and_kept() {
    let face = Face::without_samples();
    for path in [
        "/_matrix/client/v1/media/config",
        "/_matrix/media/v3/config",
    ] {
        let answer = face.call("GET", path, "").await;
        assert_eq!(answer.body, json!({ "m.upload.size": MAX_FILE_BYTES }));
    }
    let endless = stream::repeat_with(|| Ok::<_, io::Error>(Bytes::from_static(&[0; 10_000])));
    let answer = upload(&face, "", "text/plain", Body::from_stream(endless)).await;
    assert_eq!(
        (answer.status.as_u16(), answer.errcode()),
        (413, "M_TOO_LARGE")
    );
    assert!(
        answer.sentence().contains("1000000 bytes"),
        "{}",
        answer.sentence()
    );

    let mut announced = request("alice", "POST", UPLOAD, "short");
    announced
        .headers_mut()
        .insert("Content-Length", "1000001".parse().unwrap());
    let answer = face.ask(announced).await;
    assert_eq!(
        (answer.status.as_u16(), answer.errcode()),
        (413, "M_TOO_LARGE")
    );
}

#[tokio::test]
async fn an_upload_that_breaks_off_is_told_so() {
    let face = Face::without_samples();
    let broken = stream::iter([
        Ok(Bytes::from_static(b"a beginning")),
        Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
    ]);
    let answer = upload(&face, "", "text/plain", Body::from_stream(broken)).await;
    assert_eq!(
        (answer.status.as_u16(), answer.errcode()),
        (400, "M_UNKNOWN")
    );
    let mut short: Request<Body> = request("alice", "POST", UPLOAD, "five!");
    short
        .headers_mut()
        .insert("Content-Length", "6".parse().unwrap());
    let answer = face.ask(short).await;
    assert_eq!(
        (answer.status.as_u16(), answer.errcode()),
        (400, "M_UNKNOWN")
    );
    assert!(
        answer.sentence().contains("broke off"),
        "{}",
        answer.sentence()
    );
}

#[tokio::test]
async fn files_that_are_not_here_are_not_found() {
    let face = Face::without_samples();
    let place = place(&upload(&face, "", "text/plain", "x").await);
    let id = place.strip_prefix("/localhost/").unwrap();
    for path in [
        format!("/elsewhere.example/{id}"),
        format!("/localhost:8448/{id}"),
        format!("/localhost/{}", "x".repeat(32)),
        "/localhost/short".to_owned(),
        "/localhost/..%2f..%2fetc%2fpasswd".to_owned(),
    ] {
        let answer = face.call("GET", &format!("{DOWNLOAD}{path}"), "").await;
        assert_eq!(
            (answer.status.as_u16(), answer.errcode()),
            (404, "M_NOT_FOUND"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn impossible_names_are_refused() {
    let face = Face::without_samples();
    let long = "n".repeat(1_025);
    let answer = upload(&face, &format!("?filename={long}"), "text/plain", "x").await;
    assert_eq!(
        (answer.status.as_u16(), answer.errcode()),
        (400, "M_INVALID_PARAM")
    );
    let place = place(&upload(&face, "", "text/plain", "x").await);
    for path in [
        format!("{place}/{long}"),
        format!("/not%20a%20server{place}"),
    ] {
        let answer = face.call("GET", &format!("{DOWNLOAD}{path}"), "").await;
        assert!(matches!(answer.status.as_u16(), 400 | 404), "{answer:?}");
        assert!(answer.errcode().starts_with("M_"), "{answer:?}");
    }
}

#[tokio::test]
async fn the_old_paths_are_closed_unless_they_are_opened() {
    let face = Face::without_samples();
    let place = place(&upload(&face, "", "text/plain", "x").await);
    for path in [
        format!("download{place}"),
        format!("download{place}/name"),
        format!("thumbnail{place}?width=9&height=9"),
    ] {
        for version in ["v3", "r0"] {
            let path = format!("/_matrix/media/{version}/{path}");
            let answer = face.call("GET", &path, "").await;
            assert_eq!(
                (answer.status.as_u16(), answer.errcode()),
                (404, "M_NOT_FOUND"),
                "{path}"
            );
        }
    }
}

/// The file below `folder` that is this long.
fn file_of_length(folder: &Path, length: u64) -> Option<std::path::PathBuf> {
    fs::read_dir(folder).unwrap().find_map(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return file_of_length(&path, length);
        }
        (path.metadata().ok()?.len() == length).then_some(path)
    })
}

#[tokio::test]
async fn a_damaged_file_is_an_error_or_a_broken_answer_and_never_wrong_bytes() {
    let face = Face::without_samples();
    let content = vec![7_u8; 150_001];
    let place = place(&upload(&face, "", "text/plain", content.clone()).await);
    let path = file_of_length(&face.home.files, 150_001 + 3 * 16).unwrap();
    let whole = fs::read(&path).unwrap();

    let mut changed_late = whole.clone();
    *changed_late.last_mut().unwrap() ^= 1;
    fs::write(&path, changed_late).unwrap();
    let mut body = raw(&face, "bob", &place).await.into_body();
    let (mut given, mut failed) = (Vec::new(), false);
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => given.extend_from_slice(frame.data_ref().unwrap()),
            Err(_) => failed = true,
        }
    }
    assert!(failed && given.len() < content.len());
    assert!(content.starts_with(&given));

    let mut changed_early = whole.clone();
    changed_early[0] ^= 1;
    for damaged in [changed_early, whole[..70_000].to_vec()] {
        fs::write(&path, damaged).unwrap();
        let answer = face.call("GET", &format!("{DOWNLOAD}{place}"), "").await;
        assert_eq!(
            (answer.status.as_u16(), answer.errcode()),
            (500, "M_UNKNOWN")
        );
    }
}
