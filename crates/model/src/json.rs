//! JSON from outside: bounded before it is parsed, and canonical before it enters an event.

#[cfg(test)]
mod tests;

use std::fmt::Display;

use ruma::{CanonicalJsonObject, CanonicalJsonValue, canonical_json::CanonicalJsonError};

/// How deep arrays and objects may nest; well under the 128 levels at which `serde_json` gives up.
pub const MAX_DEPTH: usize = 100;

/// Why a piece of JSON was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum JsonRefusal {
    /// The text is longer than the limit.
    #[error("the JSON has {size_bytes} bytes, and the limit is {limit_bytes}")]
    TooLarge {
        /// The length of the text.
        size_bytes: usize,
        /// The limit it exceeds.
        limit_bytes: usize,
    },
    /// Arrays and objects nest deeper than the limit.
    #[error("the JSON nests deeper than {limit} levels")]
    TooDeep {
        /// The limit it exceeds.
        limit: usize,
    },
    /// The text is not JSON at all.
    #[error("the text is not valid JSON: {0}")]
    Malformed(String),
    /// The text is JSON, but another kind of value than an object.
    #[error("the JSON is not an object")]
    NotAnObject,
    /// The text is JSON that has no canonical form.
    #[error("the JSON cannot be part of an event: {0}")]
    NotCanonical(String),
}

/// Refuses `text` when it is longer than `limit_bytes` or nests deeper than `limit_depth`.
///
/// Reads brackets and strings only, so it is cheap, and safe on text that is not JSON.
pub fn check_bounds(text: &str, limit_bytes: usize, limit_depth: usize) -> Result<(), JsonRefusal> {
    if text.len() > limit_bytes {
        return Err(JsonRefusal::TooLarge {
            size_bytes: text.len(),
            limit_bytes,
        });
    }
    if depth_of(text) > limit_depth {
        return Err(JsonRefusal::TooDeep { limit: limit_depth });
    }
    Ok(())
}

/// Parses a JSON object of at most `limit_bytes` that can be part of an event: no floats, integers
/// within ±(2^53 − 1), nesting within [`MAX_DEPTH`].
///
/// Room versions before 6 allowed more on paper; it is refused in all of them, because an event
/// without a canonical form has no hash that two implementations agree on.
pub fn canonical_object(
    text: &str,
    limit_bytes: usize,
) -> Result<CanonicalJsonObject, JsonRefusal> {
    check_bounds(text, limit_bytes, MAX_DEPTH)?;
    let value = serde_json::from_str::<serde_json::Value>(text)
        .map_err(|error| JsonRefusal::Malformed(error.to_string()))?;
    match CanonicalJsonValue::try_from(value) {
        Ok(CanonicalJsonValue::Object(object)) => Ok(object),
        Ok(_) => Err(JsonRefusal::NotAnObject),
        Err(error) => Err(JsonRefusal::NotCanonical(sentence(&error))),
    }
}

/// Refuses an object that nests deeper than [`MAX_DEPTH`], for objects that were not parsed by
/// [`canonical_object`].
pub fn check_object_depth(object: &CanonicalJsonObject) -> Result<(), JsonRefusal> {
    if object.values().all(|value| fits(value, MAX_DEPTH - 1)) {
        Ok(())
    } else {
        Err(JsonRefusal::TooDeep { limit: MAX_DEPTH })
    }
}

/// Writes `object` as canonical JSON: keys in order, no spaces.
pub fn canonical_text(object: &CanonicalJsonObject) -> String {
    serde_json::to_string(object).expect("a canonical object has string keys and finite numbers")
}

/// Appends `text` to `out` as a JSON string, quoted and escaped.
pub(crate) fn push_string(out: &mut String, text: &str) {
    let quoted = serde_json::to_string(text).expect("a string always has a JSON form");
    out.push_str(&quoted);
}

/// A parser's complaint in words for who sent the JSON: without the place, which is often one in
/// a part of the whole, and without the names that types have here.
pub fn complaint(error: &dyn Display) -> String {
    let text = error.to_string();
    let text = text
        .rsplit_once(" at line ")
        .map_or(&*text, |(text, _)| text);
    match text.split_once(", expected struct ") {
        Some((text, _)) => format!("{text}, expected an object"),
        None => text.to_owned(),
    }
}

fn depth_of(text: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0usize);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

// Recursion is bounded by `levels`, so a hostile value cannot exhaust the stack.
fn fits(value: &CanonicalJsonValue, levels: usize) -> bool {
    match value {
        CanonicalJsonValue::Array(items) => {
            levels > 0 && items.iter().all(|item| fits(item, levels - 1))
        }
        CanonicalJsonValue::Object(object) => {
            levels > 0 && object.values().all(|item| fits(item, levels - 1))
        }
        _ => true,
    }
}

fn sentence(error: &CanonicalJsonError) -> String {
    match error {
        CanonicalJsonError::IntegerOutOfRange => "integers must lie within ±(2^53 - 1)".to_owned(),
        CanonicalJsonError::InvalidType(kind) if kind == "float" => {
            "numbers must be whole".to_owned()
        }
        other => other.to_string(),
    }
}
