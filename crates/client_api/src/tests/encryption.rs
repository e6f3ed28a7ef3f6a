//! Keys, messages to devices and backups as clients see them.

use http::StatusCode;
use serde_json::{Value, json};

use super::{Answer, Face, home::PASSWORD, request};

async fn ask(face: &Face, who: &str, method: &str, path: &str, body: Value) -> Answer {
    let path = format!("/_matrix/client/v3/{path}");
    face.ask(request(who, method, &path, body.to_string()))
        .await
}

fn device_keys(user: &str) -> Value {
    json!({
        "user_id": format!("@{user}:localhost"),
        "device_id": "DEVICE",
        "algorithms": ["m.olm.v1.curve25519-aes-sha2"],
        "keys": { "ed25519:DEVICE": "a", "curve25519:DEVICE": "b" },
        "signatures": { format!("@{user}:localhost"): { "ed25519:DEVICE": "c" } },
    })
}

#[tokio::test]
async fn keys_are_uploaded_queried_and_claimed() {
    let face = Face::with_people();
    let key = json!({ "key": "AAAA", "signatures": {} });
    let upload = json!({
        "device_keys": device_keys("alice"),
        "one_time_keys": { "signed_curve25519:AAAAHg": key },
    });
    let answer = ask(&face, "alice", "POST", "keys/upload", upload).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(
        answer.body,
        json!({ "one_time_key_counts": { "signed_curve25519": 1 } })
    );

    let query = json!({ "device_keys": { "@alice:localhost": [], "@nobody:localhost": [] } });
    let answer = ask(&face, "bob", "POST", "keys/query", query).await;
    let mut expected = device_keys("alice");
    expected["unsigned"] = json!({ "device_display_name": "alice's phone" });
    assert_eq!(
        answer.body["device_keys"],
        json!({ "@alice:localhost": { "DEVICE": expected } })
    );

    let claim = json!({
        "one_time_keys": { "@alice:localhost": { "DEVICE": "signed_curve25519" } },
    });
    let answer = ask(&face, "bob", "POST", "keys/claim", claim.clone()).await;
    assert_eq!(
        answer.body["one_time_keys"],
        json!({ "@alice:localhost": { "DEVICE": { "signed_curve25519:AAAAHg": key } } })
    );
    let answer = ask(&face, "bob", "POST", "keys/claim", claim).await;
    assert_eq!(
        (answer.status, &answer.body["one_time_keys"]),
        (StatusCode::OK, &json!({}))
    );
}

#[tokio::test]
async fn wrong_uploads_are_told_what_is_wrong() {
    let face = Face::with_people();
    let another = json!({ "device_keys": device_keys("bob") });
    let answer = ask(&face, "alice", "POST", "keys/upload", another).await;
    assert_eq!(
        (answer.status, answer.errcode()),
        (StatusCode::BAD_REQUEST, "M_INVALID_PARAM")
    );
    let malformed = json!({ "one_time_keys": { "signed_curve25519:A": [1] } });
    let answer = ask(&face, "alice", "POST", "keys/upload", malformed).await;
    assert_eq!(
        (answer.status, answer.errcode()),
        (StatusCode::BAD_REQUEST, "M_BAD_JSON")
    );
    for key in ["AAAA", "BBBB"] {
        let key = json!({ "key": key, "signatures": {} });
        let upload = json!({ "one_time_keys": { "signed_curve25519:A": key } });
        let answer = ask(&face, "alice", "POST", "keys/upload", upload).await;
        if answer.status != StatusCode::OK {
            assert_eq!(answer.errcode(), "M_INVALID_PARAM");
            assert!(answer.sentence().contains("signed_curve25519:A"));
            return;
        }
    }
    panic!("another key with the same id was taken");
}

#[tokio::test]
async fn signing_keys_are_checked_and_replaced_only_with_the_password() {
    let face = Face::with_people();
    let master = |key: &str| {
        json!({
            "user_id": "@alice:localhost", "usage": ["master"],
            "keys": { format!("ed25519:{key}"): key },
        })
    };
    let (first, second) = ("A".repeat(43), "B".repeat(43));
    let path = "keys/device_signing/upload";
    let mut unsigned = master(&second);
    unsigned["usage"] = json!(["self_signing"]);
    let upload = json!({ "master_key": master(&first), "self_signing_key": unsigned });
    let answer = ask(&face, "alice", "POST", path, upload).await;
    assert_eq!(
        (answer.status, answer.errcode()),
        (StatusCode::BAD_REQUEST, "M_INVALID_SIGNATURE")
    );
    let upload = json!({ "self_signing_key": unsigned });
    let answer = ask(&face, "alice", "POST", path, upload).await;
    assert_eq!(
        (answer.status, answer.errcode()),
        (StatusCode::BAD_REQUEST, "M_MISSING_PARAM")
    );

    let mut upload = json!({ "master_key": master(&first) });
    for _ in 0..2 {
        let answer = ask(&face, "alice", "POST", path, upload.clone()).await;
        assert_eq!((answer.status, answer.body), (StatusCode::OK, json!({})));
    }
    upload["master_key"] = master(&second);
    let answer = ask(&face, "alice", "POST", path, upload.clone()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        answer.body["flows"],
        json!([{ "stages": ["m.login.password"] }])
    );
    let auth = |password: &str| {
        json!({
            "type": "m.login.password", "password": password, "session": answer.body["session"],
            "identifier": { "type": "m.id.user", "user": "alice" },
        })
    };
    upload["auth"] = auth("wrong");
    let refused = ask(&face, "alice", "POST", path, upload.clone()).await;
    assert_eq!(
        (refused.status, refused.errcode()),
        (StatusCode::UNAUTHORIZED, "M_FORBIDDEN")
    );
    upload["auth"] = auth(PASSWORD);
    let taken = ask(&face, "alice", "POST", path, upload).await;
    assert_eq!((taken.status, taken.body), (StatusCode::OK, json!({})));
    let query = json!({ "device_keys": { "@alice:localhost": [] } });
    let found = ask(&face, "bob", "POST", "keys/query", query).await;
    assert_eq!(
        found.body["master_keys"]["@alice:localhost"],
        master(&second)
    );
}

#[tokio::test]
async fn signatures_that_are_wrong_are_told_one_by_one() {
    let face = Face::with_people();
    let upload = json!({ "device_keys": device_keys("alice") });
    ask(&face, "alice", "POST", "keys/upload", upload).await;
    let mut signed = device_keys("alice");
    signed["signatures"] = json!({ "@alice:localhost": { "ed25519:other": "forged" } });
    let upload = json!({ "@alice:localhost": { "DEVICE": signed, "OTHER": {} } });
    let answer = ask(&face, "alice", "POST", "keys/signatures/upload", upload).await;
    let failures = &answer.body["failures"]["@alice:localhost"];
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(failures["DEVICE"]["errcode"], "M_INVALID_SIGNATURE");
    assert_eq!(failures["OTHER"]["errcode"], "M_NOT_FOUND");
}

#[tokio::test]
async fn messages_reach_the_devices_that_exist() {
    let face = Face::with_people();
    let body = json!({ "messages": {
        "@bob:localhost": { "*": { "n": 1 }, "GONE": { "n": 2 } },
        "@nobody:localhost": { "*": { "n": 3 } },
    } });
    for _ in 0..2 {
        let answer = ask(
            &face,
            "alice",
            "PUT",
            "sendToDevice/m.test/txn",
            body.clone(),
        )
        .await;
        assert_eq!((answer.status, answer.body), (StatusCode::OK, json!({})));
    }
    let owners = &face.home.owners;
    let snapshot = owners.log.database().snapshot().await.unwrap();
    let (start, head) = (store::Pos::START, snapshot.head());
    for (user, device, expected) in [(2, "DEVICE", 1), (2, "GONE", 0), (1, "DEVICE", 0)] {
        let waiting = owners
            .keys
            .to_device_since(&snapshot, user, device, start, head, 9);
        assert_eq!(
            waiting.await.unwrap().events.len(),
            expected,
            "{user} {device}"
        );
    }
    let wrong = json!({ "messages": { "@bob:localhost": { "*": "text" } } });
    let answer = ask(&face, "alice", "PUT", "sendToDevice/m.test/other", wrong).await;
    assert_eq!(
        (answer.status, answer.errcode()),
        (StatusCode::BAD_REQUEST, "M_BAD_JSON")
    );
}

#[tokio::test]
async fn backups_are_made_filled_read_and_deleted() {
    let face = Face::with_people();
    let ask = async |method: &str, path: &str, body: Value| {
        ask(&face, "alice", method, &format!("room_keys/{path}"), body).await
    };
    let none = ask("GET", "version", json!({})).await;
    assert_eq!(
        (none.status, none.errcode()),
        (StatusCode::NOT_FOUND, "M_NOT_FOUND")
    );
    let algorithm = json!({
        "algorithm": "m.megolm_backup.v1.curve25519-aes-sha2",
        "auth_data": { "public_key": "YWJj", "signatures": {} },
    });
    let made = ask("POST", "version", algorithm.clone()).await;
    assert_eq!(made.body, json!({ "version": "1" }));
    let key = json!({
        "first_message_index": 0, "forwarded_count": 0, "is_verified": true,
        "session_data": { "ephemeral": "YQ", "ciphertext": "Yg", "mac": "Yw" },
    });
    let room = "!room:localhost";
    let (of_session, of_room) = (format!("keys/{room}/session"), format!("keys/{room}"));
    let sessions = json!({ "sessions": { "session": key } });
    let rooms = json!({ "rooms": { room: sessions } });
    for (path, body) in [("keys", &rooms), (&of_room, &sessions), (&of_session, &key)] {
        let put = ask("PUT", &format!("{path}?version=1"), body.clone()).await;
        assert_eq!(put.body, json!({ "etag": "1", "count": 1 }), "{path}");
        let got = ask("GET", &format!("{path}?version=1"), json!({})).await;
        assert_eq!(got.body, *body, "{path}");
    }
    let mut info = algorithm.clone();
    info["version"] = json!("1");
    info["etag"] = json!("1");
    info["count"] = json!(1);
    assert_eq!(ask("GET", "version", json!({})).await.body, info);
    assert_eq!(ask("GET", "version/1", json!({})).await.body, info);
    let updated = ask("PUT", "version/1", algorithm.clone()).await;
    assert_eq!((updated.status, updated.body), (StatusCode::OK, json!({})));

    let wrong = ask("PUT", "keys?version=7", rooms.clone()).await;
    assert_eq!(
        (wrong.status, wrong.errcode()),
        (StatusCode::FORBIDDEN, "M_WRONG_ROOM_KEYS_VERSION")
    );
    assert_eq!(wrong.body["current_version"], "1");
    let missing = ask("GET", &format!("keys/{room}/other?version=1"), json!({})).await;
    assert_eq!(
        (missing.status, missing.errcode()),
        (StatusCode::NOT_FOUND, "M_NOT_FOUND")
    );
    let empty = ask("GET", "keys/!other:localhost?version=1", json!({})).await;
    assert_eq!(empty.body, json!({ "sessions": {} }));
    for (path, etag) in [(of_session.as_str(), "2"), (&of_room, "3"), ("keys", "4")] {
        let deleted = ask("DELETE", &format!("{path}?version=1"), json!({})).await;
        assert_eq!(deleted.body, json!({ "etag": etag, "count": 0 }), "{path}");
    }
    for _ in 0..2 {
        let deleted = ask("DELETE", "version/1", json!({})).await;
        assert_eq!((deleted.status, deleted.body), (StatusCode::OK, json!({})));
    }
    assert_eq!(
        ask("GET", "version", json!({})).await.status,
        StatusCode::NOT_FOUND
    );
}
