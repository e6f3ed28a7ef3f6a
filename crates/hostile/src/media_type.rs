//! The headers around files: what somebody said of a file, and what somebody asks of it.

use client_api::{
    address::TrustedProxies,
    media::{
        conditions::{Conditions, Portion},
        served::describe,
    },
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use mime::Mime;
use ruma::{
    api::client::media::is_safe_inline_content_type,
    http_headers::{ContentDisposition, ContentDispositionType},
};

use crate::text::first_line;

const TAG: HeaderValue = HeaderValue::from_static("\"tag\"");

/// The first lines are a content type, the name of a file, its size in bytes, and the headers
/// `Range`, `If-Range`, `If-None-Match` and `X-Forwarded-For`.
///
/// Nothing panics, and:
/// - A file is served with one type, in place only if that type is safe there, under its own name,
///   and fenced in whatever it is.
/// - A part of a file is within the file, and `HEAD` tells of the whole.
/// - Nobody who is not trusted says where a request comes from.
pub fn media_type(data: &[u8]) {
    let (content_type, rest) = first_line(data);
    let (name, rest) = first_line(rest);
    if let (Ok(content_type), Ok(name)) =
        (std::str::from_utf8(content_type), std::str::from_utf8(name))
    {
        describes(content_type, name);
    }
    let (size, rest) = first_line(rest);
    let size = std::str::from_utf8(size)
        .ok()
        .and_then(|size| size.parse().ok());
    asks(size.unwrap_or(100), rest);
}

fn describes(content_type: &str, name: &str) {
    let mut headers = HeaderMap::new();
    describe(&mut headers, Some(content_type), Some(name.to_owned()), TAG);
    for (header, value) in &headers {
        assert_eq!(headers.get_all(header).iter().count(), 1, "{header}");
        assert!(value.to_str().is_ok(), "{header}: {value:?}");
    }
    let served = headers[header::CONTENT_TYPE].to_str().unwrap();
    served.parse::<Mime>().unwrap();
    let disposition = headers[header::CONTENT_DISPOSITION].as_bytes();
    let disposition = ContentDisposition::try_from(disposition).unwrap();
    let essence = served.split(';').next().unwrap().trim();
    let in_place = disposition.disposition_type == ContentDispositionType::Inline;
    assert!(
        !in_place || is_safe_inline_content_type(essence),
        "{served}"
    );
    let is_kept =
        |character: &char| !name.is_ascii() || !character.is_ascii_control() || *character == '\t';
    let kept: String = name.chars().filter(is_kept).collect();
    assert_eq!(disposition.filename.unwrap_or_default(), kept);
    assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("sandbox; default-src 'none'; script-src 'none'"));
}

fn asks(size_bytes: u64, mut rest: &[u8]) {
    let mut headers = HeaderMap::new();
    let forwarded_for = HeaderName::from_static("x-forwarded-for");
    for header in [
        header::RANGE,
        header::IF_RANGE,
        header::IF_NONE_MATCH,
        forwarded_for,
    ] {
        let (line, after) = first_line(rest);
        rest = after;
        if let Ok(value) = HeaderValue::from_bytes(line)
            && !line.is_empty()
        {
            headers.append(header, value);
        }
    }
    let portion = |method| Conditions::of(&method, &headers).portion(&TAG, size_bytes);
    match portion(Method::GET) {
        Portion::Part { from, length } => {
            assert!(length > 0 && from.checked_add(length).unwrap() <= size_bytes);
            assert!(headers.contains_key(header::RANGE));
        }
        Portion::Unsatisfiable => assert!(headers.contains_key(header::RANGE)),
        Portion::None => assert!(headers.contains_key(header::IF_NONE_MATCH)),
        Portion::Whole => {}
    }
    assert!(matches!(
        portion(Method::HEAD),
        Portion::Whole | Portion::None
    ));

    let peer = Some([192, 0, 2, 1].into());
    let nobody = TrustedProxies::new(Vec::new());
    assert_eq!(Some(nobody.client_address(peer, &headers).0), peer);
    let all = TrustedProxies::new(vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()]);
    all.client_address(peer, &headers);
}
