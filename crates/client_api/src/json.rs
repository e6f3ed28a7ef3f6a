//! What a JSON body must be before anything parses it, and where in it an error lies.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::error::ApiError;

/// How deep objects and arrays may nest; far below what would exhaust a parser's stack.
const MAX_NESTING: usize = 100;

/// How much of a key is quoted in a sentence.
const MAX_KEY_CHARS: usize = 64;

/// Refuses a body that is not one JSON object of bearable depth.
///
/// The depth is looked at first, by a scanner that does not recurse.
pub(crate) fn check(body: &[u8]) -> Result<(), ApiError> {
    if std::str::from_utf8(body).is_err() {
        return Err(ApiError::not_json("the body is not valid UTF-8"));
    }
    if nests_deeper_than(body, MAX_NESTING) {
        return Err(ApiError::bad_json(format_args!(
            "the body nests objects and arrays more than {MAX_NESTING} deep"
        )));
    }
    serde_json::from_slice::<IgnoredAny>(body)
        .map_err(|error| ApiError::not_json(format_args!("the body is not valid JSON: {error}")))?;
    // Derived parsers would take an array for an object, field by field.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(ApiError::bad_json("the body must be a JSON object"));
    }
    // What is kept as it came is sent to others as it came: they must be able to read it.
    serde_json::from_slice::<Readable>(body).map_err(|error| {
        ApiError::bad_json(format_args!("the body holds what readers refuse: {error}"))
    })?;
    Ok(())
}

/// JSON of which every text is Unicode and every number finite: the grammar alone promises
/// neither.
struct Readable;

impl<'de> Deserialize<'de> for Readable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Readable {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        while members.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

/// The path of the value that a parser of a checked body complains of; a best effort.
pub(crate) fn path_of(body: &[u8], error: &serde_json::Error) -> String {
    let offset = offset_of(body, error.line(), error.column());
    let mut frames = frames_before(body, offset);
    // What is missing is told behind the object that should have it, not of the key before.
    if error.to_string().starts_with("missing field ")
        && let Some(Frame::Object(key)) = frames.last_mut()
    {
        *key = None;
    }
    written(&frames)
}

fn nests_deeper_than(body: &[u8], limit: usize) -> bool {
    let mut depth = 0usize;
    let mut deepest = 0usize;
    scan(body, |token| {
        match token {
            Token::Open(_) => depth += 1,
            Token::Close => depth = depth.saturating_sub(1),
            Token::Comma | Token::Colon | Token::Text(_) => {}
        }
        deepest = deepest.max(depth);
        deepest <= limit
    });
    deepest > limit
}

/// The parts of JSON that make its structure; numbers and literals are skipped.
enum Token<'a> {
    Open(u8),
    Close,
    Comma,
    Colon,
    Text(&'a [u8]),
}

/// Hands each token to `visit` until that returns `false`.
fn scan<'a>(body: &'a [u8], mut visit: impl FnMut(Token<'a>) -> bool) {
    let mut at = 0;
    while let Some(&byte) = body.get(at) {
        at += 1;
        let token = match byte {
            b'{' | b'[' => Token::Open(byte),
            b'}' | b']' => Token::Close,
            b',' => Token::Comma,
            b':' => Token::Colon,
            b'"' => {
                let start = at;
                at = end_of_text(body, start);
                Token::Text(&body[start..at.min(body.len())])
            }
            _ => continue,
        };
        if matches!(token, Token::Text(_)) {
            at += 1;
        }
        if !visit(token) {
            return;
        }
    }
}

/// The index of the quote that ends the text begun at `start`, or the end of the body.
fn end_of_text(body: &[u8], start: usize) -> usize {
    let mut at = start;
    loop {
        match body.get(at) {
            None => return body.len(),
            Some(b'"') => return at,
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
        }
    }
}

/// serde_json counts lines from one and bytes within a line.
fn offset_of(body: &[u8], line: usize, column: usize) -> usize {
    let before: usize = body
        .split_inclusive(|byte| *byte == b'\n')
        .take(line.saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    before.saturating_add(column).min(body.len())
}

enum Frame<'a> {
    Object(Option<&'a [u8]>),
    Array(usize),
}

/// What encloses the value that serde_json places at `offset`.
fn frames_before(body: &[u8], offset: usize) -> Vec<Frame<'_>> {
    // An error told by a type itself gets its place only after the delimiter behind the value,
    // or behind the last value of its list, was read; "not an object" stands before its brace.
    let read_past = matches!(body[..offset].last(), Some(b',' | b']' | b'}'))
        && !matches!(body.get(offset), Some(b'{' | b'['));
    let offset = offset - usize::from(read_past);
    let mut frames: Vec<Frame<'_>> = Vec::new();
    let mut last_text: Option<&[u8]> = None;
    scan(&body[..offset], |token| {
        match token {
            Token::Open(b'[') => frames.push(Frame::Array(0)),
            Token::Open(_) => frames.push(Frame::Object(None)),
            Token::Close => {
                frames.pop();
            }
            Token::Text(text) => last_text = Some(text),
            Token::Colon => {
                if let Some(Frame::Object(key)) = frames.last_mut() {
                    *key = last_text.take();
                }
            }
            Token::Comma => match frames.last_mut() {
                Some(Frame::Object(key)) => *key = None,
                Some(Frame::Array(index)) => *index += 1,
                None => {}
            },
        }
        true
    });
    frames
}

/// The path, like `invite[3]`.
fn written(frames: &[Frame<'_>]) -> String {
    let mut path = String::new();
    for frame in frames {
        match frame {
            Frame::Object(Some(key)) => push_key(&mut path, &String::from_utf8_lossy(key)),
            Frame::Object(None) => {}
            Frame::Array(index) => path.push_str(&format!("[{index}]")),
        }
    }
    path
}

/// Adds a key to a path, as far as it is worth quoting.
pub(crate) fn push_key(path: &mut String, key: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.extend(key.chars().take(MAX_KEY_CHARS));
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only parsed, to see it fail")]
    struct Sample {
        #[serde(default)]
        invite: Vec<ruma::OwnedUserId>,
        #[serde(default)]
        inner: Option<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only parsed, to see it fail")]
    struct Inner {
        limit: u8,
    }

    fn path_of_error(body: &str) -> String {
        let error = serde_json::from_str::<Sample>(body).unwrap_err();
        path_of(body.as_bytes(), &error)
    }

    #[test]
    fn an_error_is_found_at_its_field() {
        assert_eq!(path_of_error(r#"{"invite":["@a:b.c", "b"]}"#), "invite[1]");
        assert_eq!(path_of_error(r#"{"invite": "no"}"#), "invite");
        assert_eq!(
            path_of_error(r#"{"inner":{"limit":"x"} , "a":1}"#),
            "inner.limit"
        );
        assert_eq!(
            path_of_error("{\n \"a\\\"{\": 1,\n \"inner\":{\"limit\":256}}"),
            "inner.limit"
        );
        assert_eq!(path_of_error(r#"{"inner":{}}"#), "inner");
        assert_eq!(path_of_error(r#"{"inner":{"a":1}}"#), "inner");
        assert_eq!(path_of_error(r#"{"inner":{} , "a":1}"#), "inner");
        assert_eq!(path_of_error(r#"{"invite":{}}"#), "invite");
        assert_eq!(path_of_error(r#"{"invite":["@a:b.c",{}]}"#), "invite[1]");
        assert_eq!(path_of_error(r#"{"invite":["x","@a:b.c"]}"#), "invite[0]");
    }

    #[test]
    fn what_readers_refuse_is_refused() {
        for body in [
            r#"{"a":"\ud800"}"#,
            r#"{"a":["\udc00\ud800"]}"#,
            r#"{"\ud800":1}"#,
            r#"{"a":{"b":1e999}}"#,
        ] {
            let refused = check(body.as_bytes()).unwrap_err();
            assert!(
                format!("{refused:?}").contains("BadJson"),
                "{body}: {refused:?}"
            );
        }
        check(r#"{"a":["\ud83d\ude00",1e30,-0,null,true]}"#.as_bytes()).unwrap();
    }

    #[test]
    fn brackets_in_texts_do_not_nest() {
        let text = format!(r#"{{"a":"{}\"["}}"#, "[".repeat(500));
        assert!(!nests_deeper_than(text.as_bytes(), 1));
    }

    #[test]
    fn the_hundred_and_first_level_is_too_deep() {
        let nested = |depth: usize| {
            format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth)).into_bytes()
        };
        assert!(!nests_deeper_than(&nested(100), MAX_NESTING));
        assert!(nests_deeper_than(&nested(101), MAX_NESTING));
    }
}
