//! Making and closing accounts, passwords, the shared secret.

use accounts::{By, RegistrationMode, TokenTerms};
use aws_lc_rs::hmac;
use model::room_state::StateView;
use ruma::{OwnedRoomId, events::room::member::MembershipState, user_id};
use serde_json::{Value, json};
use store::Intent;

use crate::{
    kept::create_room,
    server::{Node, PASSWORD, Server, on_both_engines, password_of},
};

on_both_engines! {
    one_registers_after_the_challenge_and_is_signed_in,
    names_passwords_and_kinds_that_cannot_be_are_refused,
    an_invitation_opens_a_closed_server_once,
    the_shared_secret_registers_and_is_unknown_where_it_is_not_set,
    a_new_password_ends_other_sessions_unless_they_are_to_stay,
    a_closed_account_is_closed,
    a_closed_account_leaves_its_rooms_even_after_an_interruption,
}

const REGISTER: &str = "/_matrix/client/v3/register";

async fn one_registers_after_the_challenge_and_is_signed_in(server: Server) {
    let node = server.node().await;
    let (status, challenge) = node.ask("", "POST", REGISTER, "{}").await;
    assert_eq!(status, 401);
    assert_eq!(challenge["flows"][0]["stages"], json!(["m.login.dummy"]));
    assert!(challenge.get("errcode").is_none());
    let available = "/_matrix/client/v3/register/available?username=alice";
    assert_eq!(
        node.ok("", "GET", available, Value::Null).await,
        json!({"available": true})
    );
    let body = json!({
        "username": "alice", "password": PASSWORD, "device_id": "PHONE",
        "auth": {"type": "m.login.dummy", "session": challenge["session"]},
    });
    let answer = node.ok("", "POST", REGISTER, body).await;
    assert_eq!(answer["user_id"], "@alice:localhost");
    assert_eq!(answer["device_id"], "PHONE");
    assert!(node.knows(answer["access_token"].as_str().unwrap()).await);
    let refused = node.refused("", "GET", available, "").await;
    assert_eq!(refused, (400, "M_USER_IN_USE".to_owned()));
    let body = json!({
        "username": "bob", "password": PASSWORD, "inhibit_login": true,
        "auth": {"type": "m.login.dummy"},
    });
    let answer = node.ok("", "POST", REGISTER, body).await;
    assert_eq!(answer, json!({"user_id": "@bob:localhost"}));
}

async fn names_passwords_and_kinds_that_cannot_be_are_refused(server: Server) {
    let node = server.node().await;
    node.join("alice").await;
    let dummy = json!({"type": "m.login.dummy"});
    for (body, refusal) in [
        (
            json!({"username": "Alice", "password": PASSWORD}),
            (400, "M_INVALID_USERNAME"),
        ),
        (
            json!({"username": "a b", "password": PASSWORD}),
            (400, "M_INVALID_USERNAME"),
        ),
        (
            json!({"username": "alice", "password": PASSWORD}),
            (400, "M_USER_IN_USE"),
        ),
        (
            json!({"username": "bob", "password": "short", "auth": dummy}),
            (400, "M_WEAK_PASSWORD"),
        ),
        (
            json!({"username": "bob", "auth": dummy}),
            (400, "M_MISSING_PARAM"),
        ),
        (json!({"username": 7}), (400, "M_BAD_JSON")),
        (
            json!({"type": "m.login.application_service", "username": "bob"}),
            (403, "M_FORBIDDEN"),
        ),
        (
            json!({"auth": {"type": "m.login.password"}}),
            (400, "M_BAD_JSON"),
        ),
    ] {
        let refused = node.refused("", "POST", REGISTER, &body.to_string()).await;
        assert_eq!((refused.0, refused.1.as_str()), refusal, "{body}");
    }
    let guest = node
        .refused("", "POST", &format!("{REGISTER}?kind=guest"), "{}")
        .await;
    assert_eq!(guest, (403, "M_GUEST_ACCESS_FORBIDDEN".to_owned()));
}

async fn an_invitation_opens_a_closed_server_once(mut server: Server) {
    server.deployment.registration = RegistrationMode::Closed;
    let node = server.node().await;
    let (_, challenge) = node.ask("", "POST", REGISTER, "{}").await;
    assert_eq!(
        challenge["flows"],
        json!([{"stages": ["m.login.registration_token"]}])
    );
    let terms = TokenTerms {
        invitation: true,
        ..Default::default()
    };
    let accounts = &node.parts.accounts;
    let made = accounts.make_registration_token(terms, By::command_line());
    let token = made.await.unwrap().token;
    let validity =
        format!("/_matrix/client/v1/register/m.login.registration_token/validity?token={token}");
    let valid = node.ok("", "GET", &validity, Value::Null).await;
    assert_eq!(valid, json!({"valid": true}));
    let body = |name: &str, auth: Value| {
        json!({"username": name, "password": PASSWORD, "auth": auth}).to_string()
    };
    let auth = |token: &str| json!({"type": "m.login.registration_token", "token": token});
    for auth in [json!({"type": "m.login.dummy"}), auth("wrong")] {
        let (status, _) = node.ask("", "POST", REGISTER, body("bob", auth)).await;
        assert_eq!(status, 401);
    }
    let (status, answer) = node
        .ask("", "POST", REGISTER, body("bob", auth(&token)))
        .await;
    assert_eq!(status, 200, "{answer}");
    let (status, again) = node
        .ask("", "POST", REGISTER, body("eve", auth(&token)))
        .await;
    assert_eq!(
        (status.as_u16(), &again["errcode"]),
        (401, &json!("M_UNAUTHORIZED"))
    );
    let valid = node.ok("", "GET", &validity, Value::Null).await;
    assert_eq!(valid, json!({"valid": false}));
}

async fn the_shared_secret_registers_and_is_unknown_where_it_is_not_set(mut server: Server) {
    const PATH: &str = "/_synapse/admin/v1/register";
    {
        let node = server.node().await;
        for method in ["GET", "POST"] {
            let body = r#"{"nonce":"","username":"","password":"","mac":""}"#;
            let refused = node.refused("", method, PATH, body).await;
            assert_eq!(refused, (404, "M_UNRECOGNIZED".to_owned()));
        }
        node.parts.log.stop().await;
    }
    server.deployment.shared_secret = Some("a secret that tools know");
    let node = server.node().await;
    let nonce = node.ok("", "GET", PATH, Value::Null).await["nonce"].clone();
    let nonce = nonce.as_str().unwrap();
    let secret = b"a secret that tools know";
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let body = |name: &str| {
        let signed = format!("{nonce}\0{name}\0{PASSWORD}\0admin");
        let mac = hmac::sign(&key, signed.as_bytes());
        let mac = mac.as_ref().iter().map(|byte| format!("{byte:02x}"));
        json!({
            "nonce": nonce, "username": name, "password": PASSWORD, "admin": true,
            "mac": mac.collect::<String>(),
        })
    };
    let mut forged = body("tool");
    forged["admin"] = json!(false);
    let refused = node.refused("", "POST", PATH, &forged.to_string()).await;
    assert_eq!(refused, (403, "M_FORBIDDEN".to_owned()));
    let answer = node.ok("", "POST", PATH, body("tool")).await;
    assert_eq!(answer["home_server"], "localhost");
    let token = answer["access_token"].as_str().unwrap();
    let session = node.parts.accounts.authenticate(token).await.unwrap();
    assert!(session.admin);
    let again = body("tool2").to_string();
    let refused = node.refused("", "POST", PATH, &again).await;
    assert_eq!(refused, (400, "M_INVALID_PARAM".to_owned()));
}

async fn a_new_password_ends_other_sessions_unless_they_are_to_stay(server: Server) {
    const PATH: &str = "/_matrix/client/v3/account/password";
    let node = server.node().await;
    let alice = node.join("alice").await;
    let login = || async {
        let body = json!({"type": "m.login.password", "user": "alice", "password": PASSWORD});
        let answer = node.ok("", "POST", "/_matrix/client/v3/login", body).await;
        answer["access_token"].as_str().unwrap().to_owned()
    };
    let laptop = login().await;
    let change = |new: &str, log_out: bool| json!({"new_password": new, "logout_devices": log_out, "auth": password_of("alice")});
    let refused = node
        .refused(
            &alice.token,
            "POST",
            PATH,
            &change("short", true).to_string(),
        )
        .await;
    assert_eq!(refused, (400, "M_WEAK_PASSWORD".to_owned()));
    let bare = json!({"new_password": "another horse"}).to_string();
    assert_eq!(node.refused(&alice.token, "POST", PATH, &bare).await.0, 401);
    assert_eq!(
        node.refused("", "POST", PATH, &bare).await.1,
        "M_MISSING_TOKEN"
    );
    node.ok(&alice.token, "POST", PATH, change(PASSWORD, false))
        .await;
    assert!(node.knows(&laptop).await);
    node.ok(&alice.token, "POST", PATH, change("another horse", true))
        .await;
    assert!(node.knows(&alice.token).await);
    assert!(!node.knows(&laptop).await);
    let old = json!({"type": "m.login.password", "user": "alice", "password": PASSWORD});
    let old = node
        .refused("", "POST", "/_matrix/client/v3/login", &old.to_string())
        .await;
    assert_eq!(old.0, 403);
}

async fn a_closed_account_is_closed(server: Server) {
    const PATH: &str = "/_matrix/client/v3/account/deactivate";
    let node = server.node().await;
    let alice = node.join("alice").await;
    let name = "/_matrix/client/v3/profile/@alice:localhost/displayname";
    node.ok(&alice.token, "PUT", name, json!({"displayname": "Alice"}))
        .await;
    assert_eq!(node.refused(&alice.token, "POST", PATH, "{}").await.0, 401);
    let body = json!({"auth": password_of("alice"), "erase": true});
    let answer = node.ok(&alice.token, "POST", PATH, body).await;
    assert_eq!(answer["id_server_unbind_result"], "success");
    assert!(!node.knows(&alice.token).await);
    assert_eq!(node.refused("", "GET", name, "").await.0, 404);
    let login = json!({"type": "m.login.password", "user": "alice", "password": PASSWORD});
    let login = node
        .refused("", "POST", "/_matrix/client/v3/login", &login.to_string())
        .await;
    assert_eq!(login, (403, "M_FORBIDDEN".to_owned()));
    let taken = "/_matrix/client/v3/register/available?username=alice";
    assert_eq!(node.refused("", "GET", taken, "").await.1, "M_USER_IN_USE");
}

async fn is_in(node: &Node, room_id: &OwnedRoomId) -> bool {
    let room = node.parts.rooms.room(room_id).await.unwrap();
    room.state.membership(user_id!("@alice:localhost")) == MembershipState::Join
}

async fn a_closed_account_leaves_its_rooms_even_after_an_interruption(server: Server) {
    let node = server.node().await;
    node.join("alice").await;
    let alice = user_id!("@alice:localhost");
    let mut room_ids = Vec::new();
    for _ in 0..2 {
        let none = |_: &OwnedRoomId| Intent::new();
        let request = create_room(alice.to_owned());
        let made = node.parts.rooms.create(&node.parts.log, &request, none);
        room_ids.push(made.await.unwrap());
    }
    // What an interrupted closing leaves behind: a closed account in rooms.
    let account = node.parts.accounts.account(alice).await.unwrap().unwrap();
    let mut intent = Intent::new();
    let by = By::command_line();
    let whose = (account.user, alice);
    node.parts
        .accounts
        .add_deactivation(&mut intent, whose, false, &by);
    node.parts.log.commit(intent).await.unwrap();
    assert!(is_in(&node, &room_ids[0]).await);
    node.parts.lifecycle.finish_deactivations().await.unwrap();
    for room_id in &room_ids {
        assert!(!is_in(&node, room_id).await);
    }
    let head = node.parts.log.applied();
    node.parts.lifecycle.finish_deactivations().await.unwrap();
    assert_eq!(
        node.parts.log.applied(),
        head,
        "there is nothing left to do"
    );
}
