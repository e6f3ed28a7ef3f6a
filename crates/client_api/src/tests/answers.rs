//! What every answer carries, and how failures inside are told.

use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing_subscriber::fmt::MakeWriter;

use super::{Face, bare, request};

const LEAVE: &str = "/_matrix/client/v3/rooms/!r:localhost/leave";
const ROUTE: &str = "/_matrix/client/v3/rooms/{p1}/leave";

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Kept {
    fn errors(&self) -> Vec<String> {
        String::from_utf8(self.0.lock().unwrap().clone())
            .unwrap()
            .lines()
            .filter(|line| line.contains("ERROR"))
            .map(str::to_owned)
            .collect()
    }
}

async fn logged(face: &Face, body: &str) -> (super::Answer, Vec<String>) {
    let kept = Kept::default();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(kept.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let answer = face
        .call(
            "POST",
            &format!("{LEAVE}?access_token=secret"),
            body.to_owned(),
        )
        .await;
    (answer, kept.errors())
}

#[tokio::test]
async fn a_failure_is_logged_once_with_its_sources_and_the_client_gets_the_id() {
    let (answer, errors) = logged(&Face::new(false), r#"{"reason":"fail"}"#).await;
    assert_eq!(
        (answer.status.as_u16(), answer.errcode()),
        (500, "M_UNKNOWN")
    );
    let id = answer.headers["x-request-id"].to_str().unwrap();
    assert!(answer.sentence().contains(id), "{answer:?}");
    assert!(!answer.sentence().contains("disk"), "{answer:?}");

    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0].contains("cannot write the log: the disk is full"),
        "{errors:?}"
    );
    assert!(errors[0].contains(id), "{errors:?}");
    assert!(!errors[0].contains("secret"), "{errors:?}");
}

#[tokio::test]
async fn the_log_names_the_route_and_not_the_path() {
    let (_, errors) = logged(&Face::new(false), r#"{"reason":"fail"}"#).await;
    assert!(errors[0].contains(ROUTE), "{errors:?}");
    assert!(!errors[0].contains("/!r:localhost/"), "{errors:?}");
}

#[tokio::test]
async fn a_panic_is_logged_and_answered_and_the_next_request_works() {
    let face = Face::new(false);
    let (answer, errors) = logged(&face, r#"{"reason":"panic"}"#).await;
    assert_eq!(
        (answer.status.as_u16(), answer.errcode()),
        (500, "M_UNKNOWN")
    );
    let id = answer.headers["x-request-id"].to_str().unwrap();
    assert!(answer.sentence().contains(id), "{answer:?}");
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("the handler was told to"), "{errors:?}");

    assert_eq!(face.call("POST", LEAVE, "{}").await.status, 200);
}

#[tokio::test]
async fn a_refusal_is_not_an_error_in_the_log() {
    let (answer, errors) = logged(&Face::new(false), r#"{"reason":"v99"}"#).await;
    assert_eq!(answer.errcode(), "M_INCOMPATIBLE_ROOM_VERSION");
    assert_eq!(answer.body["room_version"], "12");
    assert!(errors.is_empty(), "{errors:?}");
}

#[tokio::test]
async fn each_request_has_an_id_of_its_own() {
    let face = Face::new(false);
    let mut forged = bare("GET", "/_matrix/client/versions");
    forged
        .headers_mut()
        .insert("x-request-id", "mine".parse().unwrap());
    let first = face.ask(forged).await.headers["x-request-id"].clone();
    let second = face.ask(bare("GET", "/nowhere")).await.headers["x-request-id"].clone();
    assert_ne!(first, "mine");
    assert_ne!(first, second);
    assert_eq!(first.len(), 16);
}

#[tokio::test]
async fn every_answer_lets_any_origin_read_it() {
    let face = Face::new(false);
    let asked = [
        bare("GET", "/_matrix/client/versions"),
        bare("GET", "/nowhere"),
        bare("POST", LEAVE),
        bare("OPTIONS", LEAVE),
        bare("OPTIONS", "/_matrix/client/v3/unheard-of"),
    ];
    for asked in asked {
        let what = format!("{} {}", asked.method(), asked.uri());
        let answer = face.ask(asked).await;
        let header = |name: &str| answer.headers[name].to_str().unwrap().to_owned();
        assert_eq!(header("access-control-allow-origin"), "*", "{what}");
        assert!(
            header("access-control-allow-methods").contains("DELETE"),
            "{what}"
        );
        assert!(
            header("access-control-allow-headers").contains("Authorization"),
            "{what}"
        );
        if what.starts_with("OPTIONS") {
            assert_eq!(answer.status, 204, "{what}");
        }
    }
}

#[tokio::test]
async fn clients_that_send_no_body_or_no_content_type_are_served() {
    let face = Face::new(false);
    for path in [
        LEAVE,
        "/_matrix/client/v3/logout",
        "/_matrix/client/r0/logout",
    ] {
        assert_eq!(face.call("POST", path, "").await.status, 200, "{path}");
        assert_eq!(face.call("POST", path, "{}").await.status, 200, "{path}");
    }
    let answer = face
        .call("GET", "/_matrix/client/v3/sync", "not json")
        .await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn an_empty_state_key_may_be_left_out_of_the_path() {
    let face = Face::new(false);
    let path = "/_matrix/client/v3/rooms/!r:localhost/state/m.room.topic";
    for path in [path.to_owned(), format!("{path}/")] {
        let answer = face.call("PUT", &path, r#"{"topic":"x"}"#).await;
        assert_eq!(answer.body["event_id"], "$", "{path}");
    }
    let answer = face
        .call("PUT", &format!("{path}/key"), r#"{"topic":"x"}"#)
        .await;
    assert_eq!(answer.body["event_id"], "$key");
}

#[tokio::test]
async fn a_streamed_upload_reaches_its_handler_unread() {
    let face = Face::new(false);
    let path = "/_matrix/media/v3/upload?filename=a.bin";
    let answer = face.call("POST", path, vec![0xffu8; 3_000_000]).await;
    assert_eq!(answer.body, "a.bin 3000000");
}

#[tokio::test]
async fn discovery_tells_where_the_server_is_and_what_it_can() {
    let face = Face::new(false);
    let versions = face.ask(bare("GET", "/_matrix/client/versions")).await;
    let offered = versions.body["versions"].as_array().unwrap();
    assert!(offered.contains(&"v1.11".into()), "{offered:?}");

    let well_known = face.ask(bare("GET", "/.well-known/matrix/client")).await;
    assert_eq!(
        well_known.body["m.homeserver"]["base_url"],
        "http://localhost:8008"
    );
    assert_eq!(well_known.headers["content-type"], "application/json");
}

#[tokio::test]
async fn capabilities_are_told_to_callers_alone() {
    let face = Face::new(false);
    let path = "/_matrix/client/v3/capabilities";
    assert_eq!(
        face.ask(bare("GET", path)).await.errcode(),
        "M_MISSING_TOKEN"
    );

    let answer = face.ask(request("alice", "GET", path, "")).await;
    let capabilities = &answer.body["capabilities"];
    let rooms = &capabilities["m.room_versions"];
    assert_eq!(rooms["default"], "12");
    for version in 1..=12 {
        assert_eq!(rooms["available"][version.to_string()], "stable");
    }
    assert_eq!(capabilities["m.change_password"]["enabled"], true);
    assert_eq!(capabilities["m.3pid_changes"]["enabled"], false);
}
