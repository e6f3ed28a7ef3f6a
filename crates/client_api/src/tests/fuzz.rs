//! Whatever bytes a client sends, it gets an answer below 500.

use proptest::prelude::{Strategy, any, prop_oneof, proptest};
use tokio::runtime::Runtime;

use super::{Face, request};

const PATHS: [(&str, &str); 4] = [
    ("POST", "/_matrix/client/v3/createRoom"),
    ("POST", "/_matrix/client/v3/rooms/!r:localhost/invite"),
    (
        "PUT",
        "/_matrix/client/v3/rooms/!r:localhost/send/m.room.message/1",
    ),
    (
        "PUT",
        "/_matrix/client/v3/rooms/!r:localhost/state/m.room.topic/k",
    ),
];

/// Bytes, and texts that come nearer to JSON than bytes do.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..300),
        proptest::collection::vec(
            proptest::sample::select(vec![
                "{",
                "}",
                "[",
                "]",
                ":",
                ",",
                "\"",
                "\\",
                "\"name\"",
                "\"invite\"",
                "\"user_id\"",
                "\"@a:b\"",
                "\"initial_state\"",
                "\"power_level_content_override\"",
                "1e999",
                "-0",
                "null",
                "true",
                "\\u0000",
                "\\ud800",
                " ",
                "\n",
                "é",
            ]),
            0..40,
        )
        .prop_map(|parts| format!("{{{}}}", parts.concat()).into_bytes()),
    ]
}

proptest! {
    #[test]
    fn no_body_makes_a_handler_fail(body in bodies(), which in 0..PATHS.len()) {
        let (method, path) = PATHS[which];
        let runtime = Runtime::new().unwrap();
        let answer = runtime.block_on(Face::new(false).call(method, path, body));
        assert!(answer.status.as_u16() < 500, "{answer:?}");
        if answer.status != 200 {
            assert!(answer.errcode().starts_with("M_") && !answer.sentence().is_empty(), "{answer:?}");
        }
    }

    #[test]
    fn no_path_or_query_makes_a_handler_fail(
        room in proptest::collection::vec(any::<u8>(), 1..40),
        query in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let escaped = |bytes: &[u8]| -> String {
            bytes.iter().map(|byte| format!("%{byte:02x}")).collect()
        };
        let (room, query) = (escaped(&room), escaped(&query));
        let runtime = Runtime::new().unwrap();
        let face = Face::new(false);
        for (method, path) in [
            ("POST", format!("/_matrix/client/v3/rooms/{room}/leave?{query}")),
            ("GET", format!("/_matrix/client/v3/sync?filter={query}")),
            ("GET", format!("/_matrix/client/v3/sync?{query}")),
        ] {
            let answer = runtime.block_on(face.ask(request("alice", method, &path, "")));
            assert!(answer.status.as_u16() < 500, "{path}: {answer:?}");
        }
    }
}
