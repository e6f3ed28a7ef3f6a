//! Searching for messages.

use super::{
    MIB,
    row::{
        Row,
        Token::Needed,
        Why::{AnswersEmpty, NotOfARoom},
        bad_parameter, body, lacks, limit, mistyped, never, refused, with_body,
    },
};

pub(super) fn rows() -> Vec<Row> {
    vec![Row {
        route: "POST search",
        good: body(r#"{"search_categories": {"room_events": {"search_term": "owner"}}}"#),
        token: Needed,
        missing: refused([
            lacks("search_categories"),
            with_body("search_categories/room_events/search_term", None).gets(
                400,
                "M_BAD_JSON",
                "missing field `search_term`",
            ),
        ]),
        mistyped: refused([
            mistyped("search_categories"),
            mistyped("search_categories/room_events"),
            mistyped("search_categories/room_events/search_term"),
            bad_parameter("next_batch", "next_batch=nonsense"),
            of_room_events(r#""order_by": "age""#, "order_by: "),
            of_room_events(r#""keys": ["content.age"]"#, "keys: "),
            of_room_events(
                r#""groupings": {"group_by": [{"key": "age"}]}"#,
                "groupings: ",
            ),
            of_room_events(r#""filter": {"limit": 0}"#, "filter: limit: "),
        ]),
        not_member: never(NotOfARoom),
        no_power: never(NotOfARoom),
        unknown: never(AnswersEmpty),
        too_large: refused([
            limit(MIB),
            body(r#"{"search_categories": {"room_events": {"search_term": "{x1025}"}}}"#).gets(
                400,
                "M_INVALID_PARAM",
                "search_term: ",
            ),
        ]),
    }]
}

/// A part of the criteria that cannot be.
fn of_room_events(part: &str, sentence: &'static str) -> super::row::Case {
    let criteria = format!(r#"{{"search_term": "owner", {part}}}"#);
    let whole = format!(r#"{{"search_categories": {{"room_events": {criteria}}}}}"#);
    body(whole).gets(400, "M_INVALID_PARAM", sentence)
}
