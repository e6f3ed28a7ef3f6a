//! What is not as a definition says is found, and nothing else is.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;

use serde_json::{Value, json};
use specification::{Exchange, Specification};

const WRITE: &str = "/_matrix/client/v3/notes/1?dir=b";

fn read() -> Specification {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    Specification::read(&folder).unwrap()
}

/// What is wrong with a note that was written.
fn wrong(target: &str, body: &Value, status: u16, answer: &Value) -> Vec<String> {
    read().judge(&Exchange {
        method: "PUT",
        target,
        body: Some(body),
        status,
        answer: Some(answer),
    })
}

fn author() -> Value {
    json!({"author": "@alice:example.org"})
}

fn has(found: &[String], part: &str) -> bool {
    found.len() == 1 && found[0].contains("writeNote") && found[0].contains(part)
}

#[test]
fn what_is_as_defined_passes() {
    let nested = json!({"id": "1", "answers": [{"id": "2", "answers": [{"id": "3"}]}]});
    assert!(wrong(WRITE, &author(), 200, &nested).is_empty());
    let old = "/_matrix/client/r0/notes/1?dir=f&order=-3";
    assert!(wrong(old, &author(), 200, &nested).is_empty());
    let elsewhere = "/_matrix/client/v3/letters/1";
    assert!(wrong(elsewhere, &json!(1), 200, &json!(2)).is_empty());
}

#[test]
fn an_answer_is_judged_to_its_depth() {
    let nested = json!({"id": "1", "answers": [{"id": "2", "answers": [{"id": 3}]}]});
    let found = wrong(WRITE, &author(), 200, &nested);
    assert!(has(&found, "/answers/0/answers/0/id"), "{found:?}");
    let found = wrong(WRITE, &author(), 201, &json!({"id": "1"}));
    assert!(has(&found, "no answer of this status"), "{found:?}");
}

#[test]
fn a_request_that_should_not_have_been_taken_is_found() {
    let answer = json!({"id": "1"});
    let found = wrong(WRITE, &json!({"author": "alice"}), 200, &answer);
    assert!(has(&found, "mx-user-id"), "{found:?}");
    let found = wrong(WRITE, &json!({}), 200, &answer);
    assert!(
        has(&found, "\"author\" is a required property"),
        "{found:?}"
    );
    for (target, part) in [
        ("/_matrix/client/v3/notes/1", "without `dir`"),
        ("/_matrix/client/v3/notes/1?dir=x", "dir=\"x\""),
        (
            "/_matrix/client/v3/notes/1?dir=b&order=first",
            "order=\"first\"",
        ),
    ] {
        let found = wrong(target, &author(), 200, &answer);
        assert!(has(&found, part), "{found:?}");
    }
}

#[test]
fn where_two_operations_share_a_path_a_request_is_one_of_them() {
    let copies = "/_matrix/client/v3/copies/1";
    let nothing = json!({});
    assert!(wrong(copies, &json!({"copy_of": "1"}), 200, &nothing).is_empty());
    assert!(wrong(copies, &json!({"page": "1"}), 200, &nothing).is_empty());
    let found = wrong(copies, &nothing, 200, &nothing);
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn a_part_of_what_is_defined_is_an_answer() {
    assert!(wrong(WRITE, &author(), 206, &json!({"id": "1"})).is_empty());
}

#[test]
fn a_refusal_has_a_code_and_a_sentence_and_what_is_defined_for_it() {
    let refusal = json!({"errcode": "M_FORBIDDEN", "error": "no"});
    let nothing = json!({});
    assert!(wrong(WRITE, &nothing, 403, &refusal).is_empty());
    assert!(wrong(WRITE, &nothing, 401, &refusal).is_empty());
    assert!(wrong(WRITE, &nothing, 401, &json!({"flows": []})).is_empty());
    assert!(has(&wrong(WRITE, &nothing, 401, &nothing), "flows"));
    assert!(has(&wrong(WRITE, &nothing, 403, &nothing), "no errcode"));
    assert!(has(
        &wrong(WRITE, &nothing, 429, &refusal),
        "retry_after_ms"
    ));
}

#[test]
fn the_path_with_most_words_of_its_own_is_meant() {
    let data = read();
    let found = |method, path| -> Vec<String> {
        let found = data.find(method, path).into_iter();
        found.map(|operation| operation.id.clone()).collect()
    };
    let newest = "/_matrix/client/v3/notes/newest";
    assert_eq!(found("GET", newest), ["newestNote"]);
    assert_eq!(found("PUT", newest), ["writeNote"]);
    assert!(found("GET", "/_matrix/client/v3/notes/1").is_empty());
    let mut operations = data.operations().iter();
    let deprecated = operations.find(|operation| operation.is_deprecated);
    assert_eq!(deprecated.unwrap().id, "newestNote");
}
