//! The specification's examples, bounds and properties.

use proptest::prelude::{any, proptest};

use super::{JsonRefusal, MAX_DEPTH, canonical_object, canonical_text, check_bounds, complaint};

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
fn a_complaint_names_neither_a_place_nor_a_type_of_this_program() {
    let told = "invalid type: string \"x\", expected struct ExtractType at line 1 column 3";
    let plainly = "invalid type: string \"x\", expected an object";
    assert_eq!(complaint(&told), plainly);
    assert_eq!(complaint(&"missing field `a`"), "missing field `a`");
}

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
