//! The headers under which a file that anybody may have uploaded is safe in a browser ([spec]).
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#serving-inline-content

use http::{HeaderMap, HeaderValue, header};
use mime::Mime;
use ruma::{
    api::client::media::is_safe_inline_content_type,
    http_headers::{CROSS_ORIGIN_RESOURCE_POLICY, ContentDisposition, ContentDispositionType},
};

/// What the specification recommends: nothing in the file runs, whatever it is.
const SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf; \
     style-src 'unsafe-inline'; media-src 'self'; object-src 'self';",
);

/// A file never changes; only the caller's own cache may keep it.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("private, max-age=31536000, immutable");

const UNKNOWN_TYPE: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// Describes a file in the headers of the answer that carries it.
pub fn describe(
    headers: &mut HeaderMap,
    content_type: Option<&str>,
    name: Option<String>,
    tag: HeaderValue,
) {
    let (content_type, inline) = judged(content_type);
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::CONTENT_DISPOSITION, disposition(inline, name));
    headers.insert(header::CONTENT_SECURITY_POLICY, SECURITY_POLICY);
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        CROSS_ORIGIN_RESOURCE_POLICY,
        HeaderValue::from_static("cross-origin"),
    );
    tell_kept(headers, tag);
}

/// Tells how long a file may be kept, by which tag it is known again, and that a download that
/// broke off can be taken up.
pub(super) fn tell_kept(headers: &mut HeaderMap, tag: HeaderValue) {
    headers.insert(header::ETAG, tag);
    headers.insert(header::CACHE_CONTROL, CACHE_CONTROL);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
}

/// The content type to answer with, and whether a browser may show it in place.
///
/// What is no content type is answered as unknown bytes: browsers guess at what they cannot read.
/// So is one with letters beyond ASCII in a parameter, which readers of headers take for bytes.
fn judged(content_type: Option<&str>) -> (HeaderValue, bool) {
    let written = content_type.filter(|text| text.is_ascii());
    let parsed = written.and_then(|text| text.parse::<Mime>().ok());
    let value = parsed
        .as_ref()
        .and_then(|mime| HeaderValue::from_str(mime.as_ref()).ok());
    match (parsed, value) {
        (Some(mime), Some(value)) => (value, is_safe_inline_content_type(mime.essence_str())),
        _ => (UNKNOWN_TYPE, false),
    }
}

fn disposition(inline: bool, name: Option<String>) -> HeaderValue {
    let way = if inline {
        ContentDispositionType::Inline
    } else {
        ContentDispositionType::Attachment
    };
    let named = ContentDisposition::new(way.clone()).with_filename(name);
    // Every name can be written; if one could not, the file is still to be had without it.
    HeaderValue::from_str(&named.to_string())
        .or_else(|_| HeaderValue::from_str(way.as_str()))
        .unwrap_or(HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(content_type: Option<&str>) -> (String, bool) {
        let (value, inline) = judged(content_type);
        (value.to_str().unwrap().to_owned(), inline)
    }

    #[test]
    fn only_what_the_specification_calls_safe_is_shown_in_place() {
        for (content_type, answered, inline) in [
            ("image/png", "image/png", true),
            ("IMAGE/PNG", "image/png", true),
            (
                "text/plain; charset=utf-8",
                "text/plain; charset=utf-8",
                true,
            ),
            ("video/webm", "video/webm", true),
            ("text/html", "text/html", false),
            ("image/svg+xml", "image/svg+xml", false),
            ("application/pdf", "application/pdf", false),
            ("application/javascript", "application/javascript", false),
            ("image/png, text/html", "application/octet-stream", false),
            ("text", "application/octet-stream", false),
            ("", "application/octet-stream", false),
            ("image/png\u{7f}", "application/octet-stream", false),
            ("image/png; name=\"ņ\"", "application/octet-stream", false),
        ] {
            assert_eq!(
                shown(Some(content_type)),
                (answered.to_owned(), inline),
                "{content_type}"
            );
        }
        assert_eq!(shown(None), ("application/octet-stream".to_owned(), false));
    }

    #[test]
    fn a_name_is_quoted_or_encoded() {
        let written = |name: &str| {
            let value = disposition(true, Some(name.to_owned()));
            value.to_str().unwrap().to_owned()
        };
        assert_eq!(written("cat.png"), "inline; filename=cat.png");
        assert_eq!(written("my cat.png"), "inline; filename=\"my cat.png\"");
        assert_eq!(written("a\"b\\c"), "inline; filename=\"a\\\"b\\\\c\"");
        assert_eq!(written("猫.png"), "inline; filename*=utf-8''%E7%8C%AB.png");
        assert_eq!(
            written("a\r\nSet-Cookie: b"),
            "inline; filename=\"aSet-Cookie: b\""
        );
        assert_eq!(disposition(false, None), "attachment");
    }

    proptest! {
        #[test]
        fn any_name_comes_back_as_it_was_but_for_control_characters(name in "\\PC{0,60}|.{0,60}") {
            let value = disposition(false, Some(name.clone()));
            let parsed = ContentDisposition::try_from(value.as_bytes()).unwrap();
            prop_assert_eq!(parsed.disposition_type, ContentDispositionType::Attachment);
            let visible = |character: &char| !name.is_ascii() || !character.is_ascii_control() || *character == '\t';
            let expected: String = name.chars().filter(visible).collect();
            prop_assert_eq!(parsed.filename.unwrap_or_default(), expected);
        }

        #[test]
        fn any_content_type_is_answered_with_one(text in ".{0,80}") {
            let (value, inline) = shown(Some(&text));
            prop_assert!(value.parse::<Mime>().is_ok());
            let essence = value.split(';').next().unwrap().trim();
            prop_assert!(!inline || is_safe_inline_content_type(essence));
        }
    }
}
