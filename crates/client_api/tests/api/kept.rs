//! Profiles, account data, tags, filters and push rules.

use model::room_state::StateView;
use rooms::{CreateRoom, MemberProfile, Preset};
use ruma::{UserId, owned_user_id};
use serde_json::{Value, json};
use store::Intent;

use crate::server::{Node, Server, User, on_both_engines};

on_both_engines! {
    a_profile_is_set_by_its_owner_and_seen_by_all,
    a_new_name_is_shown_in_the_rooms_one_is_in,
    account_data_is_kept_for_its_owner_alone,
    tags_are_kept_by_room,
    filters_are_kept_and_those_that_cannot_be_are_refused,
    push_rules_are_changed_one_by_one,
}

fn own(user: &User, rest: &str) -> String {
    format!("/_matrix/client/v3/user/{}/{rest}", user.user_id)
}

async fn a_profile_is_set_by_its_owner_and_seen_by_all(server: Server) {
    let node = server.node().await;
    let alice = node.join("alice").await;
    let bob = node.join("bob").await;
    let of = |field: &str| format!("/_matrix/client/v3/profile/@alice:localhost{field}");
    node.ok(
        &alice.token,
        "PUT",
        &of("/displayname"),
        json!({"displayname": "Alice"}),
    )
    .await;
    let avatar = json!({"avatar_url": "mxc://localhost/abc"});
    node.ok(&alice.token, "PUT", &of("/avatar_url"), avatar.clone())
        .await;
    node.ok(
        &alice.token,
        "PUT",
        &of("/m.tz"),
        json!({"m.tz": "Europe/Berlin"}),
    )
    .await;
    node.ok(&alice.token, "PUT", &of("/x.y"), json!({"x.y": [1]}))
        .await;
    let profile = node.ok("", "GET", &of(""), Value::Null).await;
    assert_eq!(
        profile,
        json!({
            "displayname": "Alice", "avatar_url": "mxc://localhost/abc",
            "m.tz": "Europe/Berlin", "x.y": [1],
        })
    );
    assert_eq!(
        node.ok("", "GET", &of("/avatar_url"), Value::Null).await,
        avatar
    );
    node.ok(&alice.token, "DELETE", &of("/x.y"), Value::Null)
        .await;
    node.ok(&alice.token, "DELETE", &of("/x.y"), Value::Null)
        .await;
    node.ok(
        &alice.token,
        "PUT",
        &of("/displayname"),
        json!({"displayname": ""}),
    )
    .await;
    for field in ["/x.y", "/displayname"] {
        assert_eq!(node.refused("", "GET", &of(field), "").await.0, 404);
    }
    let long = json!({"displayname": "x".repeat(257)}).to_string();
    let huge = json!({"x": "x".repeat(66_000)}).to_string();
    for (token, path, body, refusal) in [
        (
            &bob.token,
            of("/displayname"),
            r#"{"displayname":"Eve"}"#,
            (403, "M_FORBIDDEN"),
        ),
        (
            &alice.token,
            of("/displayname"),
            r#"{"other":"x"}"#,
            (400, "M_MISSING_PARAM"),
        ),
        (
            &alice.token,
            of("/BAD%20KEY"),
            r#"{"BAD KEY":1}"#,
            (400, "M_INVALID_PARAM"),
        ),
        (
            &alice.token,
            of("/displayname"),
            r#"{"displayname":7}"#,
            (400, "M_BAD_JSON"),
        ),
        (
            &alice.token,
            of("/displayname"),
            &long,
            (400, "M_INVALID_PARAM"),
        ),
        (&alice.token, of("/x"), &huge, (400, "M_PROFILE_TOO_LARGE")),
    ] {
        let refused = node.refused(token, "PUT", &path, body).await;
        assert_eq!((refused.0, refused.1.as_str()), refusal, "{body:.60}");
    }
    let nobody = "/_matrix/client/v3/profile/@nobody:localhost";
    assert_eq!(
        node.refused("", "GET", nobody, "").await,
        (404, "M_NOT_FOUND".to_owned())
    );
    let invalid = "/_matrix/client/v3/profile/nobody";
    assert_eq!(node.refused("", "GET", invalid, "").await.0, 400);
}

async fn shown_as(node: &Node, room_id: &ruma::RoomId, user_id: &UserId) -> String {
    let room = node.parts.rooms.room(room_id).await.unwrap();
    let event = room.state.get("m.room.member", user_id.as_str()).unwrap();
    let content: Value = event.content_as().unwrap();
    content["displayname"].as_str().unwrap_or("").to_owned()
}

async fn a_new_name_is_shown_in_the_rooms_one_is_in(server: Server) {
    let node = server.node().await;
    let alice = node.join("alice").await;
    let user_id = owned_user_id!("@alice:localhost");
    let mut room_ids = Vec::new();
    for _ in 0..3 {
        let request = create_room(user_id.clone());
        let none = |_: &ruma::OwnedRoomId| Intent::new();
        let made = node.parts.rooms.create(&node.parts.log, &request, none);
        room_ids.push(made.await.unwrap());
    }
    let name = "/_matrix/client/v3/profile/@alice:localhost/displayname";
    for (shown, body) in [("Alice", "Alice"), ("Alicia", "Alicia"), ("", "")] {
        node.ok(&alice.token, "PUT", name, json!({"displayname": body}))
            .await;
        for room_id in &room_ids {
            assert_eq!(shown_as(&node, room_id, &user_id).await, shown);
        }
    }
}

pub(crate) fn create_room(creator: ruma::OwnedUserId) -> CreateRoom {
    CreateRoom {
        creator,
        profile: MemberProfile::default(),
        version: None,
        preset: Preset::PrivateChat,
        published: false,
        name: None,
        topic: None,
        alias: None,
        invite: Vec::new(),
        initial_state: Vec::new(),
        creation_content: ruma::CanonicalJsonObject::new(),
        power_levels: None,
        is_direct: false,
        notices_for: None,
        by_appservice: false,
    }
}

async fn account_data_is_kept_for_its_owner_alone(server: Server) {
    let node = server.node().await;
    let alice = node.join("alice").await;
    let bob = node.join("bob").await;
    let room = "rooms/!r:localhost/account_data/x.note";
    for path in ["account_data/m.direct", room] {
        let path = own(&alice, path);
        assert_eq!(node.refused(&alice.token, "GET", &path, "").await.0, 404);
        let content = json!({"@bob:localhost": ["!r:localhost"]});
        node.ok(&alice.token, "PUT", &path, content.clone()).await;
        assert_eq!(
            node.ok(&alice.token, "GET", &path, Value::Null).await,
            content
        );
        for (method, body) in [("GET", ""), ("PUT", "{}")] {
            let refused = node.refused(&bob.token, method, &path, body).await;
            assert_eq!(refused, (403, "M_FORBIDDEN".to_owned()));
        }
        assert_eq!(
            node.refused(&alice.token, "PUT", &path, "[]").await.1,
            "M_BAD_JSON"
        );
    }
    for path in [
        "account_data/m.push_rules",
        "rooms/!r:localhost/account_data/m.fully_read",
    ] {
        let refused = node
            .refused(&alice.token, "PUT", &own(&alice, path), "{}")
            .await;
        assert_eq!(refused, (405, "M_BAD_JSON".to_owned()));
    }
    let rules = own(&alice, "account_data/m.push_rules");
    let rules = node.ok(&alice.token, "GET", &rules, Value::Null).await;
    assert!(rules["global"]["override"].is_array());
    let huge = json!({"a": "x".repeat(300_000)}).to_string();
    let refused = node
        .refused(&alice.token, "PUT", &own(&alice, "account_data/a"), &huge)
        .await;
    assert_eq!(refused, (413, "M_TOO_LARGE".to_owned()));
}

async fn tags_are_kept_by_room(server: Server) {
    let node = server.node().await;
    let alice = node.join("alice").await;
    let bob = node.join("bob").await;
    let tags = own(&alice, "rooms/!r:localhost/tags");
    let put = |tag: &str| format!("{tags}/{tag}");
    assert_eq!(
        node.ok(&alice.token, "GET", &tags, Value::Null).await,
        json!({"tags": {}})
    );
    node.ok(&alice.token, "PUT", &put("u.work"), json!({"order": 0.25}))
        .await;
    node.ok(&alice.token, "PUT", &put("m.favourite"), json!({}))
        .await;
    node.ok(&alice.token, "DELETE", &put("m.favourite"), Value::Null)
        .await;
    let listed = node.ok(&alice.token, "GET", &tags, Value::Null).await;
    assert_eq!(listed, json!({"tags": {"u.work": {"order": 0.25}}}));
    let entry = own(&alice, "rooms/!r:localhost/account_data/m.tag");
    assert_eq!(
        node.ok(&alice.token, "GET", &entry, Value::Null).await,
        listed
    );
    let refused = node.refused(&bob.token, "GET", &tags, "").await;
    assert_eq!(refused, (403, "M_FORBIDDEN".to_owned()));
    let long = put(&"x".repeat(256));
    let refused = node.refused(&alice.token, "PUT", &long, "{}").await;
    assert_eq!(refused, (400, "M_INVALID_PARAM".to_owned()));
}

async fn filters_are_kept_and_those_that_cannot_be_are_refused(server: Server) {
    let node = server.node().await;
    let alice = node.join("alice").await;
    let path = own(&alice, "filter");
    let filter = json!({"room": {"timeline": {"limit": 5}}});
    let made = node.ok(&alice.token, "POST", &path, filter.clone()).await;
    let made = format!("{path}/{}", made["filter_id"].as_str().unwrap());
    assert_eq!(
        node.ok(&alice.token, "GET", &made, Value::Null).await,
        filter
    );
    let none = format!("{path}/none");
    assert_eq!(node.refused(&alice.token, "GET", &none, "").await.0, 404);
    for body in [r#"{"room":7}"#, r#"{"room":{"timeline":{"limit":"x"}}}"#] {
        let refused = node.refused(&alice.token, "POST", &path, body).await;
        assert_eq!(refused, (400, "M_BAD_JSON".to_owned()), "{body}");
    }
}

async fn push_rules_are_changed_one_by_one(server: Server) {
    let node = server.node().await;
    let alice = node.join("alice").await;
    let token = alice.token.as_str();
    let of = |rest: &str| format!("/_matrix/client/v3/pushrules/{rest}");
    let all = node.ok(token, "GET", &of(""), Value::Null).await;
    let global = node.ok(token, "GET", &of("global/"), Value::Null).await;
    assert_eq!(all["global"], global);
    let bare = of("global/override/bare");
    node.ok(token, "PUT", &bare, json!({"actions": ["notify"]}))
        .await;
    let read = node.ok(token, "GET", &bare, Value::Null).await;
    assert_eq!(read["conditions"], json!([]), "it may be left out");
    node.ok(token, "DELETE", &bare, Value::Null).await;
    let mine = of("global/content/lunch");
    let rule = json!({"pattern": "lunch", "actions": ["notify"]});
    node.ok(token, "PUT", &mine, rule).await;
    let read = node.ok(token, "GET", &mine, Value::Null).await;
    assert_eq!(
        (&read["pattern"], &read["enabled"]),
        (&json!("lunch"), &json!(true))
    );
    node.ok(
        token,
        "PUT",
        &format!("{mine}/enabled"),
        json!({"enabled": false}),
    )
    .await;
    let enabled = node
        .ok(token, "GET", &format!("{mine}/enabled"), Value::Null)
        .await;
    assert_eq!(enabled, json!({"enabled": false}));
    let actions = json!({"actions": [{"set_tweak": "highlight"}]});
    node.ok(token, "PUT", &format!("{mine}/actions"), actions.clone())
        .await;
    let read = node
        .ok(token, "GET", &format!("{mine}/actions"), Value::Null)
        .await;
    assert_eq!(read, actions);
    let second = format!("{}?after=lunch", of("global/content/dinner"));
    node.ok(
        token,
        "PUT",
        &second,
        json!({"pattern": "dinner", "actions": []}),
    )
    .await;
    node.ok(token, "DELETE", &mine, Value::Null).await;
    let put = r#"{"pattern":"x","actions":[]}"#;
    for (method, path, body, refusal) in [
        ("GET", "global/content/lunch", "", (404, "M_NOT_FOUND")),
        ("DELETE", "global/content/lunch", "", (404, "M_NOT_FOUND")),
        (
            "DELETE",
            "global/override/.m.rule.master",
            "",
            (400, "M_INVALID_PARAM"),
        ),
        ("PUT", "global/content/.mine", put, (400, "M_INVALID_PARAM")),
        (
            "PUT",
            "global/content/a?before=none",
            put,
            (400, "M_UNKNOWN"),
        ),
        (
            "PUT",
            "global/content/a/enabled",
            r#"{"enabled":true}"#,
            (404, "M_NOT_FOUND"),
        ),
        ("PUT", "global/content/a", "{}", (400, "M_BAD_JSON")),
        ("GET", "global/nonsense/a", "", (404, "M_NOT_FOUND")),
    ] {
        let refused = node.refused(token, method, &of(path), body).await;
        assert_eq!((refused.0, refused.1.as_str()), refusal, "{method} {path}");
    }
}
