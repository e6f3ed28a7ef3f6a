//! Bad input gets the specification's status and errcode, and a sentence that names the fault.

use axum::body::Body;

use super::{Face, bare, request};

const LEAVE: &str = "/_matrix/client/v3/rooms/!r:localhost/leave";
const CREATE: &str = "/_matrix/client/v3/createRoom";
const SEND: &str = "/_matrix/client/v3/rooms/!r:localhost/send/m.room.message";

/// Method, path, body; status, errcode, part of the sentence.
type Case<'a> = (&'a str, &'a str, Vec<u8>, u16, &'a str, &'a str);

fn cases() -> Vec<Case<'static>> {
    let deep = format!("{}1{}", r#"{"a":"#.repeat(101), "}".repeat(101));
    let brackets = "[".repeat(4000);
    let long = format!(r#"{{"preset":"{}"}}"#, "x".repeat(3000));
    let json = |text: &str| text.as_bytes().to_vec();
    vec![
        (
            "POST",
            CREATE,
            vec![b' '; 4097],
            413,
            "M_TOO_LARGE",
            "larger than 4096 bytes",
        ),
        (
            "POST",
            LEAVE,
            vec![b' '; 1024 * 1024 + 1],
            413,
            "M_TOO_LARGE",
            "larger than 1048576",
        ),
        (
            "POST",
            CREATE,
            json("{"),
            400,
            "M_NOT_JSON",
            "not valid JSON",
        ),
        (
            "POST",
            CREATE,
            json("{} x"),
            400,
            "M_NOT_JSON",
            "trailing characters",
        ),
        (
            "POST",
            CREATE,
            json("no"),
            400,
            "M_NOT_JSON",
            "not valid JSON",
        ),
        (
            "POST",
            CREATE,
            b"{\"name\":\"\xff\"}".to_vec(),
            400,
            "M_NOT_JSON",
            "UTF-8",
        ),
        (
            "POST",
            "/_matrix/client/v3/logout",
            json("x"),
            400,
            "M_NOT_JSON",
            "not valid JSON",
        ),
        (
            "POST",
            CREATE,
            json("[]"),
            400,
            "M_BAD_JSON",
            "must be a JSON object",
        ),
        (
            "POST",
            CREATE,
            json("null"),
            400,
            "M_BAD_JSON",
            "must be a JSON object",
        ),
        (
            "POST",
            CREATE,
            deep.into_bytes(),
            400,
            "M_BAD_JSON",
            "more than 100 deep",
        ),
        (
            "POST",
            CREATE,
            brackets.into_bytes(),
            400,
            "M_BAD_JSON",
            "more than 100 deep",
        ),
        (
            "POST",
            CREATE,
            json(r#"{"name":5}"#),
            400,
            "M_BAD_JSON",
            "name: invalid type",
        ),
        (
            "POST",
            CREATE,
            json(r#"{"invite":["@a:b", "x"]}"#),
            400,
            "M_BAD_JSON",
            "invite[1]: ",
        ),
        (
            "POST",
            CREATE,
            json(r#"{"name":"a","name":"b"}"#),
            400,
            "M_BAD_JSON",
            "duplicate",
        ),
        (
            "POST",
            CREATE,
            json(r#"{"initial_state":{}}"#),
            400,
            "M_BAD_JSON",
            "initial_state: ",
        ),
        ("POST", CREATE, long.into_bytes(), 200, "", ""),
        (
            "POST",
            "/_matrix/client/v3/rooms/!r:localhost/invite",
            json("{}"),
            400,
            "M_BAD_JSON",
            "",
        ),
        (
            "POST",
            "/_matrix/client/v3/rooms/nonsense/leave",
            vec![],
            400,
            "M_INVALID_PARAM",
            "path",
        ),
        (
            "POST",
            "/_matrix/client/v3/rooms/!r%00:l/leave",
            vec![],
            400,
            "M_INVALID_PARAM",
            "NUL",
        ),
        (
            "POST",
            "/_matrix/client/v3/rooms/!%ff:l/leave",
            vec![],
            400,
            "M_INVALID_PARAM",
            "UTF-8",
        ),
        (
            "GET",
            "/_matrix/client/v3/sync?timeout=soon",
            vec![],
            400,
            "M_INVALID_PARAM",
            "query",
        ),
        (
            "GET",
            "/_matrix/client/v3/sync?since=a%00",
            vec![],
            400,
            "M_INVALID_PARAM",
            "NUL",
        ),
        (
            "GET",
            "/_matrix/client/v3/rooms/!r:localhost/messages",
            vec![],
            400,
            "M_MISSING_PARAM",
            "query parameter `dir` is missing",
        ),
        (
            "GET",
            "/_matrix/client/v3/nothing",
            vec![],
            404,
            "M_UNRECOGNIZED",
            "no such endpoint",
        ),
        (
            "GET",
            "/",
            vec![],
            404,
            "M_UNRECOGNIZED",
            "no such endpoint",
        ),
        ("PUT", LEAVE, vec![], 405, "M_UNRECOGNIZED", "method"),
        ("GET", CREATE, vec![], 405, "M_UNRECOGNIZED", "method"),
    ]
}

#[tokio::test]
async fn bad_input_gets_the_right_status_errcode_and_sentence() {
    let face = Face::new(false).await;
    for (method, path, body, status, errcode, sentence) in cases() {
        let what = format!(
            "{method} {path} {}",
            String::from_utf8_lossy(&body[..body.len().min(60)])
        );
        let answer = face.call(method, path, body).await;
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        assert_eq!(answer.errcode(), errcode, "{what}: {answer:?}");
        assert!(answer.sentence().contains(sentence), "{what}: {answer:?}");
    }
}

#[tokio::test]
async fn a_streamed_body_is_cut_off_at_the_limit() {
    let face = Face::new(false).await;
    let chunks = (0..100).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1000]));
    let body = Body::from_stream(futures_util::stream::iter(chunks));
    let answer = face.call("POST", CREATE, body).await;
    assert_eq!(
        (answer.status.as_u16(), answer.errcode()),
        (413, "M_TOO_LARGE")
    );
}

#[tokio::test]
async fn a_body_that_breaks_off_is_the_clients_fault() {
    let face = Face::new(false).await;
    let chunks = [Ok(vec![b'{']), Err(std::io::Error::other("reset"))];
    let body = Body::from_stream(futures_util::stream::iter(chunks));
    let answer = face.call("POST", CREATE, body).await;
    assert_eq!(
        (answer.status.as_u16(), answer.errcode()),
        (400, "M_NOT_JSON")
    );
}

#[tokio::test]
async fn an_unacceptable_token_is_refused_in_its_own_way() {
    let face = Face::new(false).await;
    let cases = [
        ("forged", 401, "M_UNKNOWN_TOKEN", None),
        ("expired", 401, "M_UNKNOWN_TOKEN", Some(true)),
        ("locked", 401, "M_USER_LOCKED", Some(true)),
        ("deactivated", 403, "M_USER_DEACTIVATED", None),
        ("broken", 500, "M_UNKNOWN", None),
        ("", 401, "M_MISSING_TOKEN", None),
    ];
    for (token, status, errcode, soft_logout) in cases {
        let answer = face.ask(request(token, "POST", LEAVE, "")).await;
        assert_eq!(answer.status, status, "{token}");
        assert_eq!(answer.errcode(), errcode, "{token}");
        assert_eq!(answer.body["soft_logout"].as_bool(), soft_logout, "{token}");
    }
    let answer = face
        .ask(request(&"x".repeat(1025), "POST", LEAVE, ""))
        .await;
    assert_eq!(answer.errcode(), "M_UNKNOWN_TOKEN");
}

#[tokio::test]
async fn who_carries_no_token_is_told_so_before_the_body_is_judged() {
    let face = Face::new(false).await;
    let answer = face.ask(bare("POST", LEAVE)).await;
    assert_eq!(
        (answer.status.as_u16(), answer.errcode()),
        (401, "M_MISSING_TOKEN")
    );

    let mut basic = bare("POST", LEAVE);
    basic
        .headers_mut()
        .insert("authorization", "Basic YTpi".parse().unwrap());
    assert_eq!(face.ask(basic).await.errcode(), "M_MISSING_TOKEN");
}

#[tokio::test]
async fn a_token_in_the_query_is_still_read() {
    let face = Face::new(false).await;
    let answer = face
        .ask(bare("POST", &format!("{LEAVE}?access_token=alice")))
        .await;
    assert_eq!(answer.status, 200);
    let answer = face
        .ask(bare("POST", &format!("{LEAVE}?access_token=forged")))
        .await;
    assert_eq!(answer.errcode(), "M_UNKNOWN_TOKEN");
}

#[tokio::test]
async fn a_token_that_is_optional_must_be_good_when_it_is_there() {
    let face = Face::new(false).await;
    let path = "/_matrix/client/v3/account/deactivate";
    assert_eq!(face.ask(bare("POST", path)).await.body, "nobody");
    let answer = face.ask(request("bob", "POST", path, "{}")).await;
    assert_eq!(answer.body, "@bob:localhost");
    let answer = face.ask(request("forged", "POST", path, "{}")).await;
    assert_eq!(answer.errcode(), "M_UNKNOWN_TOKEN");
}

#[tokio::test]
async fn a_path_is_decoded_exactly_once() {
    let face = Face::new(false).await;
    let answer = face
        .call("PUT", &format!("{SEND}/a%2520b%2Fc"), r#"{"body":"x"}"#)
        .await;
    assert_eq!(answer.body["event_id"], "$a%20b/c");
}
