//! JSON from outside: bounded before it is parsed, and canonical before it enters an event.

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

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::{JsonRefusal, MAX_DEPTH, canonical_object, canonical_text, check_bounds};

    // The examples of https://spec.matrix.org/v1.19/appendices/#canonical-json
    const SPECIFICATION: &[(&str, &str)] = &[
        ("{}", "{}"),
        (
            "{\n    \"one\": 1,\n    \"two\": \"Two\"\n}",
            r#"{"one":1,"two":"Two"}"#,
        ),
        (r#"{ "b": "2", "a": "1" }"#, r#"{"a":"1","b":"2"}"#),
        (
            r#"{"auth": {"success": true, "mxid": "@john.doe:example.com", "profile": {"display_name": "John Doe", "three_pids": [{"medium": "email", "address": "john.doe@example.org"}, {"medium": "msisdn", "address": "123456789"}]}}}"#,
            r#"{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[{"address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},"success":true}}"#,
        ),
        (r#"{"a": "日本語"}"#, r#"{"a":"日本語"}"#),
        (r#"{"本": 2, "日": 1}"#, r#"{"日":1,"本":2}"#),
        (r#"{"a": "\u65E5"}"#, r#"{"a":"日"}"#),
        (r#"{"a": null}"#, r#"{"a":null}"#),
    ];

    #[test]
    fn the_specifications_examples_have_their_canonical_form() {
        for (input, expected) in SPECIFICATION {
            let object = canonical_object(input, 1_000).unwrap();
            assert_eq!(canonical_text(&object), *expected);
        }
    }

    #[test]
    fn control_characters_are_escaped_the_short_way() {
        let object = canonical_object(
            r#"{"a":"\u0008\u0009\u000a\u000c\u000d\u0001\u007f\/"}"#,
            100,
        );
        assert_eq!(
            canonical_text(&object.unwrap()),
            "{\"a\":\"\\b\\t\\n\\f\\r\\u0001\u{7f}/\"}"
        );
    }

    #[test]
    fn floats_and_large_integers_are_not_canonical() {
        for text in [
            r#"{"a":1.5}"#,
            r#"{"a":1e3}"#,
            r#"{"a":[{"b":0.0}]}"#,
            r#"{"a":9007199254740992}"#,
            r#"{"a":-9007199254740992}"#,
            r#"{"a":18446744073709551615}"#,
            r#"{"a":123456789012345678901234567890}"#,
        ] {
            let refusal = canonical_object(text, 100).unwrap_err();
            assert!(
                matches!(refusal, JsonRefusal::NotCanonical(_)),
                "{text}: {refusal}"
            );
        }
        canonical_object(r#"{"a":9007199254740991,"b":-9007199254740991}"#, 100).unwrap();
    }

    #[test]
    fn text_that_is_not_an_object_is_told_from_text_that_is_not_json() {
        assert_eq!(canonical_object("[]", 10), Err(JsonRefusal::NotAnObject));
        for text in ["", "{", r#"{"a":"\ud800"}"#, r#"{"a":NaN}"#, "{}{}"] {
            let refusal = canonical_object(text, 100).unwrap_err();
            assert!(
                matches!(refusal, JsonRefusal::Malformed(_)),
                "{text}: {refusal}"
            );
        }
    }

    #[test]
    fn size_and_depth_are_bounded_exactly() {
        let nested = |levels: usize| {
            format!(
                "{}{}",
                r#"{"a":"#.repeat(levels - 1) + "{}",
                "}".repeat(levels - 1)
            )
        };
        canonical_object(&nested(MAX_DEPTH), 10_000).unwrap();
        assert_eq!(
            canonical_object(&nested(MAX_DEPTH + 1), 10_000),
            Err(JsonRefusal::TooDeep { limit: MAX_DEPTH })
        );
        check_bounds("{}", 2, 1).unwrap();
        assert!(check_bounds("{ }", 2, 1).is_err());
        check_bounds(r#"["[[[[\"[[[["]"#, 100, 1).unwrap();
    }

    proptest! {
        #[test]
        fn any_text_is_judged_without_a_panic(text in any::<String>()) {
            let _ = canonical_object(&text, 1_000);
        }

        #[test]
        fn canonical_text_is_a_fixed_point(key in any::<String>(), text in any::<String>(), number in -9_007_199_254_740_991i64..=9_007_199_254_740_991) {
            let value = serde_json::json!({ key: [text, number, null, true] });
            let once = canonical_text(&canonical_object(&value.to_string(), 100_000).unwrap());
            let twice = canonical_text(&canonical_object(&once, 100_000).unwrap());
            assert_eq!(once, twice);
        }
    }
}
