//! Locked and suspended people, and the administrators who decide it.

use std::{pin::pin, time::Duration};

use audit::{Act, Target};
use client_api::routes;
use serde_json::json;

use super::refusal;
use crate::{
    server::{Node, PASSWORD, Server, User, on_both_engines, password_of},
    stage::{encoded, joined, texts},
};

on_both_engines! {
    postgres;
    who_is_locked_can_do_nothing_but_sign_out_and_goes_on_when_freed,
    who_is_locked_signs_in_nowhere_and_keeps_their_tokens,
    a_waiting_sync_ends_with_the_lock,
    who_is_suspended_reads_and_leaves_and_takes_back_what_they_said,
    whatever_is_not_left_to_the_suspended_is_refused_to_them,
    only_administrators_restrict_and_never_each_other,
    an_administrator_is_neither_locked_nor_suspended,
    who_may_restrict_is_told_so,
    whois_tells_oneself_and_administrators,
    a_lock_holds_at_every_node,
}

impl Node {
    pub(crate) async fn restrict(&self, boss: &User, act: &str, user: &User, holds: bool) {
        let done = match act {
            "lock" => "locked",
            _ => "suspended",
        };
        let path = path(act, &user.user_id);
        let answer = self
            .ok(&boss.token, "PUT", &path, json!({ done: holds }))
            .await;
        assert_eq!(answer, json!({ done: holds }));
    }
}

fn path(act: &str, user_id: &str) -> String {
    format!("/_matrix/client/v1/admin/{act}/{user_id}")
}

async fn who_is_locked_can_do_nothing_but_sign_out_and_goes_on_when_freed(server: Server) {
    let node = server.node().await;
    let boss = node.administrator("boss").await;
    let alice = node.someone("alice").await;
    let laptop = node.on_device(&alice, "LAPTOP").await;
    let room = node.public(&alice).await;
    node.restrict(&boss, "lock", &alice, true).await;
    for path in [
        "/_matrix/client/v3/account/whoami",
        "/_matrix/client/v3/sync",
        &format!("/_matrix/client/v3/rooms/{room}/messages?dir=b"),
    ] {
        let (status, answer) = node.ask(&alice.token, "GET", path, "").await;
        assert_eq!(status, 401, "{path}");
        assert_eq!(answer["errcode"], "M_USER_LOCKED");
        assert_eq!(answer["soft_logout"], true);
    }
    // One session ends by the person's own wish, the other lives on.
    node.call(&laptop, "POST", "logout", json!({})).await;
    node.restrict(&boss, "lock", &alice, false).await;
    assert!(node.knows(&alice.token).await);
    assert!(!node.knows(&laptop.token).await);
    node.say(&alice, &room, "back").await;
    node.restrict(&boss, "lock", &alice, true).await;
    node.call(&alice, "POST", "logout/all", json!({})).await;
    node.restrict(&boss, "lock", &alice, false).await;
    assert!(!node.knows(&alice.token).await);
}

async fn who_is_locked_signs_in_nowhere_and_keeps_their_tokens(server: Server) {
    let node = server.node().await;
    let boss = node.administrator("boss").await;
    let alice = node.someone("alice").await;
    let login = |password: &str, refreshable: bool| {
        json!({
            "type": "m.login.password",
            "identifier": { "type": "m.id.user", "user": alice.user_id },
            "password": password,
            "refresh_token": refreshable,
        })
    };
    let path = "/_matrix/client/v3/login";
    let first = node.ok("", "POST", path, login(PASSWORD, true)).await;
    let refresh = json!({ "refresh_token": first["refresh_token"] });
    node.restrict(&boss, "lock", &alice, true).await;
    let body = login(PASSWORD, false).to_string();
    let refused = node.refused("", "POST", path, &body).await;
    assert_eq!(refused, refusal(401, "M_USER_LOCKED"));
    // Who does not know the password does not learn of the lock.
    let body = login("wrong horse", false).to_string();
    let refused = node.refused("", "POST", path, &body).await;
    assert_eq!(refused, refusal(403, "M_FORBIDDEN"));
    let path = "/_matrix/client/v3/refresh";
    let refused = node.refused("", "POST", path, &refresh.to_string()).await;
    assert_eq!(refused, refusal(401, "M_USER_LOCKED"));
    node.restrict(&boss, "lock", &alice, false).await;
    node.ok("", "POST", path, refresh).await;
}

async fn a_waiting_sync_ends_with_the_lock(server: Server) {
    let node = server.node().await;
    let boss = node.administrator("boss").await;
    let alice = node.someone("alice").await;
    let client = node.client(&alice).ready().await;
    let path = client.path(Duration::from_secs(60));
    let mut waiting = pin!(node.refused(&alice.token, "GET", &path, ""));
    let early = tokio::time::timeout(Duration::from_millis(60), &mut waiting).await;
    assert!(early.is_err(), "it does not wait: {early:?}");
    let (refused, ()) = tokio::join!(waiting, node.restrict(&boss, "lock", &alice, true));
    assert_eq!(refused, refusal(401, "M_USER_LOCKED"));
}

async fn who_is_suspended_reads_and_leaves_and_takes_back_what_they_said(server: Server) {
    let node = server.node().await;
    let boss = node.administrator("boss").await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let (room, other) = (node.public(&bob).await, node.create(&bob, json!({})).await);
    node.go(&alice, "join", &room).await;
    let hers = node.say(&alice, &room, "hers").await;
    let his = node.say(&bob, &room, "his").await;
    let levels = json!({ "users": { &alice.user_id: 50 } });
    node.set(&bob, &room, ("m.room.power_levels", ""), levels)
        .await;
    node.on(&bob, "invite", &other, &alice).await;
    node.restrict(&boss, "suspend", &alice, true).await;

    let mut client = node.client(&alice).ready().await;
    node.say(&bob, &room, "still here?").await;
    let answer = client.next().await;
    assert_eq!(texts(&joined(&answer, &room)["timeline"]), ["still here?"]);
    // New sessions begin, and are suspended too.
    let laptop = node.on_device(&alice, "LAPTOP").await;
    let message = json!({ "msgtype": "m.text", "body": "hello" }).to_string();
    let send = format!("rooms/{room}/send/m.room.message/t1");
    let refused = node.refuses(&laptop, "PUT", &send, &message).await;
    assert_eq!(refused, refusal(403, "M_USER_SUSPENDED"));
    let redact = format!("rooms/{room}/redact/{his}/t2");
    let refused = node.refuses(&alice, "PUT", &redact, "{}").await;
    assert_eq!(refused, refusal(403, "M_USER_SUSPENDED"));
    node.redact(&alice, &room, &hers).await;
    node.keep(
        &alice,
        None,
        "m.secret_storage.default_key",
        json!({ "key": "k" }),
    )
    .await;
    node.to_device(&alice, &bob, "PHONE", json!({})).await;
    node.go(&alice, "leave", &other).await;
    node.go(&alice, "leave", &room).await;
    node.restrict(&boss, "suspend", &alice, false).await;
    node.go(&alice, "join", &room).await;
    node.say(&alice, &room, "back").await;
    node.restrict(&boss, "suspend", &alice, true).await;
    let auth = json!({ "auth": password_of(&alice.user_id) });
    node.call(&alice, "POST", "account/deactivate", auth).await;
}

async fn whatever_is_not_left_to_the_suspended_is_refused_to_them(server: Server) {
    let node = server.node().await;
    let boss = node.administrator("boss").await;
    let alice = node.someone("alice").await;
    node.restrict(&boss, "suspend", &alice, true).await;
    let routes = routes::inventory();
    let refused = routes.iter().filter(|route| route.standing == "good");
    let mut paths = Vec::new();
    for route in refused {
        let path: Vec<&str> = route
            .path
            .split('/')
            .map(|part| match part.starts_with('{') {
                true => "x",
                false => part,
            })
            .collect();
        // Before anything of the request is judged.
        let refused = node
            .refused(&alice.token, &route.method, &path.join("/"), "")
            .await;
        assert_eq!(refused, refusal(403, "M_USER_SUSPENDED"), "{route}");
        paths.push(route.path.as_str());
    }
    // What the specification says of the suspended.
    for act in [
        "join/{room_id_or_alias}",
        "rooms/{room_id}/join",
        "knock/{room_id_or_alias}",
        "rooms/{room_id}/invite",
        "rooms/{room_id}/send/{event_type}/{txn_id}",
        "rooms/{room_id}/state/{event_type}/{state_key}",
        "profile/{user_id}/{field}",
        "createRoom",
    ] {
        let path = format!("/_matrix/client/v3/{act}");
        assert!(paths.contains(&&*path), "{path} is left to them");
    }
}

async fn only_administrators_restrict_and_never_each_other(server: Server) {
    let node = server.node().await;
    let boss = node.administrator("boss").await;
    let other = node.administrator("boss").await;
    let alice = node.someone("alice").await;
    for (act, done) in [("lock", "locked"), ("suspend", "suspended")] {
        let body = json!({ done: true }).to_string();
        let of = |who: &str| path(act, who);
        for (who, whom, expected) in [
            // Who is no administrator learns nothing of others, not even of who does not exist.
            (&alice, &*alice.user_id, refusal(403, "M_FORBIDDEN")),
            (&alice, &*boss.user_id, refusal(403, "M_FORBIDDEN")),
            (&alice, "@nobody:localhost", refusal(403, "M_FORBIDDEN")),
            (&alice, "@x:elsewhere.example", refusal(403, "M_FORBIDDEN")),
            (&boss, &*boss.user_id, refusal(403, "M_FORBIDDEN")),
            (&boss, &*other.user_id, refusal(403, "M_FORBIDDEN")),
            (&boss, "@nobody:localhost", refusal(404, "M_NOT_FOUND")),
            (
                &boss,
                "@x:elsewhere.example",
                refusal(400, "M_INVALID_PARAM"),
            ),
        ] {
            let refused = node.refuses(who, "PUT", &of(whom), &body).await;
            assert_eq!(refused, expected, "PUT {}", of(whom));
            let refused = node.refuses(who, "GET", &of(whom), "").await;
            assert_eq!(refused, expected, "GET {}", of(whom));
        }
        let refused = node.refuses(&boss, "PUT", &of(&alice.user_id), "{}").await;
        assert_eq!(refused, refusal(400, "M_BAD_JSON"));
        assert!(node.knows(&alice.token).await && node.knows(&other.token).await);
    }
    node.restrict(&boss, "lock", &alice, true).await;
    let acts = server.deployment.acts(&node, 30).await;
    let done = acts.iter().filter(|(_, _, reason)| reason.is_none());
    let done: Vec<_> = done.collect();
    let expected = (Act::AccountLocked, Target::user(&*alice.user_id), None);
    assert_eq!(done[0], &expected);
    let refused = |act: Act, whom: &str| {
        let mut acts = acts.iter().filter(|(_, _, reason)| reason.is_some());
        acts.any(|(done, target, _)| *done == act && *target == Target::user(whom))
    };
    for act in [Act::AccountLocked, Act::AccountSuspended] {
        assert!(refused(act, &boss.user_id) && refused(act, "@nobody:localhost"));
    }
}

async fn an_administrator_is_neither_locked_nor_suspended(server: Server) {
    let node = server.node().await;
    let boss = node.administrator("boss").await;
    let alice = node.someone("alice").await;
    for act in ["lock", "suspend"] {
        node.restrict(&boss, act, &alice, true).await;
    }
    let id = <&ruma::UserId>::try_from(alice.user_id.as_str()).unwrap();
    let accounts = &node.parts.accounts;
    let by = accounts::By::command_line;
    accounts.set_admin(id, true, by()).await.unwrap();
    let room = node.public(&alice).await;
    node.say(&alice, &room, "free").await;
    // Who is an administrator no more has no power left, with the same token.
    accounts.set_admin(id, false, by()).await.unwrap();
    let body = json!({ "locked": true }).to_string();
    let whom = path("lock", &boss.user_id);
    let refused = node.refuses(&alice, "PUT", &whom, &body).await;
    assert_eq!(refused, refusal(403, "M_FORBIDDEN"));
}

async fn who_may_restrict_is_told_so(server: Server) {
    let node = server.node().await;
    let boss = node.administrator("boss").await;
    let alice = node.someone("alice").await;
    let told = async |user: &User| {
        let answer = node.get(user, "capabilities").await;
        answer["capabilities"].get("m.account_moderation").cloned()
    };
    let both = json!({ "suspend": true, "lock": true });
    assert_eq!(told(&boss).await, Some(both));
    assert_eq!(told(&alice).await, None);
}

async fn whois_tells_oneself_and_administrators(server: Server) {
    let node = server.node().await;
    let boss = node.administrator("boss").await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    node.on_device(&alice, "LAPTOP").await;
    node.get(&alice, "account/whoami").await;
    let whois = format!("admin/whois/{}", encoded(&alice.user_id));
    for who in [&alice, &boss] {
        let told = node.get(who, &whois).await;
        assert_eq!(told["user_id"], alice.user_id);
        let devices = told["devices"].as_object().unwrap();
        assert_eq!(devices.keys().collect::<Vec<_>>(), ["LAPTOP", "PHONE"]);
        let connection = &devices["PHONE"]["sessions"][0]["connections"][0];
        assert_eq!(connection["ip"], "192.0.2.1");
        assert!(connection["last_seen"].is_i64());
        // It has signed in and asked for nothing since.
        assert_eq!(
            devices["LAPTOP"],
            json!({ "sessions": [{ "connections": [] }] })
        );
    }
    for whom in [&*alice.user_id, "@nobody:localhost"] {
        let path = format!("admin/whois/{whom}");
        let refused = node.refuses(&bob, "GET", &path, "").await;
        assert_eq!(refused, refusal(403, "M_FORBIDDEN"));
    }
    let refused = node
        .refuses(&boss, "GET", "admin/whois/@nobody:localhost", "")
        .await;
    assert_eq!(refused, refusal(404, "M_NOT_FOUND"));
    let looked = server.deployment.acts(&node, 10).await;
    let looked = looked
        .iter()
        .filter(|(act, ..)| *act == Act::AdministratorActed);
    let reasons: Vec<bool> = looked.map(|(_, _, reason)| reason.is_some()).collect();
    assert_eq!(reasons, [true, true, false], "newest first");
}

async fn a_lock_holds_at_every_node(server: Server) {
    if server.deployment.is_embedded() {
        // Several nodes need a database that they share: here the lock outlives the node.
        let node = server.node().await;
        let boss = node.administrator("boss").await;
        let alice = node.someone("alice").await;
        node.restrict(&boss, "lock", &alice, true).await;
        node.parts.log.stop().await;
        let node = server.node().await;
        assert!(!node.knows(&alice.token).await);
        return;
    }
    let (one, other) = (server.node().await, server.node().await);
    let boss = one.administrator("boss").await;
    let alice = one.someone("alice").await;
    let room = other.public(&alice).await;
    for holds in [true, false, true, false] {
        // Both have her in memory by now.
        one.restrict(&boss, "suspend", &alice, holds).await;
        let path = format!("/_matrix/client/v3/rooms/{room}/typing/{}", alice.user_id);
        let body = json!({ "typing": true, "timeout": 1 }).to_string();
        let (status, _) = other.ask(&alice.token, "PUT", &path, body).await;
        assert_eq!(status, if holds { 403 } else { 200 });
        for holds in [true, false] {
            other.restrict(&boss, "lock", &alice, holds).await;
            assert_eq!(one.knows(&alice.token).await, !holds);
        }
    }
}
