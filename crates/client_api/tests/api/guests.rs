//! Guests: what they get, where they may go, what they may do, and how they become people.

use std::collections::BTreeSet;

use accounts::AccountKind;
use audit::{Act, Target};
use client_api::routes;
use ruma::UserId;
use serde_json::{Value, json};

use crate::{
    server::{Node, PASSWORD, Server, User, on_both_engines},
    stage::{joined, left, members, texts},
};

on_both_engines! {
    postgres;
    a_guest_gets_an_account_and_a_session_and_chooses_nothing,
    a_guest_may_do_what_is_listed_and_nothing_else,
    a_guest_joins_rooms_that_let_guests_in_by_their_join_rules,
    guests_leave_a_room_that_lets_guests_in_no_more,
    a_guest_looks_into_rooms_that_everybody_may_read,
    a_guest_has_a_name_and_a_device_to_keep,
    a_guest_becomes_a_person_once,
    a_guest_who_is_locked_or_closed_does_nothing_more,
    a_guest_who_becomes_a_person_at_two_nodes_becomes_one,
}

const REGISTER: &str = "/_matrix/client/v3/register";

impl Node {
    /// Somebody who has just come as a guest.
    async fn guest(&self) -> User {
        let path = format!("{REGISTER}?kind=guest");
        let answer = self.ok("", "POST", &path, json!({})).await;
        User {
            user_id: answer["user_id"].as_str().unwrap().to_owned(),
            token: answer["access_token"].as_str().unwrap().to_owned(),
        }
    }

    /// What a guest, or anybody, is refused.
    async fn no(&self, user: &User, (method, rest): (&str, &str), body: Value) -> (u16, String) {
        let path = format!("/_matrix/client/v3/{rest}");
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        self.refused(&user.token, method, &path, &body).await
    }

    /// A room of somebody's that lets guests in, if their join rules do.
    async fn inn(&self, owner: &User, preset: &str) -> String {
        let access = json!([{
            "type": "m.room.guest_access", "state_key": "",
            "content": { "guest_access": "can_join" },
        }]);
        let body = json!({ "preset": preset, "initial_state": access });
        self.create(owner, body).await
    }
}

async fn with_guests(server: &mut Server) -> Node {
    server.deployment.guests = true;
    server.node().await
}

fn no_guests() -> (u16, String) {
    (403, "M_GUEST_ACCESS_FORBIDDEN".to_owned())
}

async fn a_guest_gets_an_account_and_a_session_and_chooses_nothing(mut server: Server) {
    let node = with_guests(&mut server).await;
    let path = format!("{REGISTER}?kind=guest");
    let body = json!({
        "username": "alice", "password": PASSWORD, "device_id": "MINE",
        "inhibit_login": true, "refresh_token": true,
        "initial_device_display_name": "A browser",
    });
    let answer = node.ok("", "POST", &path, body).await;
    let guest = User {
        user_id: answer["user_id"].as_str().unwrap().to_owned(),
        token: answer["access_token"].as_str().unwrap().to_owned(),
    };
    assert_ne!(guest.user_id, "@alice:localhost");
    assert_ne!(answer["device_id"], "MINE");
    assert!(answer.get("refresh_token").is_none() && answer.get("expires_in_ms").is_none());
    let whoami = node.get(&guest, "account/whoami").await;
    let expected = json!({
        "user_id": guest.user_id, "device_id": answer["device_id"], "is_guest": true,
    });
    assert_eq!(whoami, expected);
    let devices = node.get(&guest, "devices").await;
    assert_eq!(devices["devices"][0]["display_name"], "A browser");
    assert_eq!(devices["devices"].as_array().unwrap().len(), 1);
    for password in [PASSWORD, ""] {
        let body = json!({
            "type": "m.login.password", "password": password,
            "identifier": { "type": "m.id.user", "user": guest.user_id },
        });
        let login = "/_matrix/client/v3/login";
        let refused = node.refused("", "POST", login, &body.to_string()).await;
        assert_eq!(refused, (403, "M_FORBIDDEN".to_owned()));
    }
    let id = <&UserId>::try_from(guest.user_id.as_str()).unwrap();
    let account = node.parts.accounts.account(id).await.unwrap().unwrap();
    assert_eq!(account.kind, AccountKind::Guest);
    assert!(!account.has_password);
    let by = accounts::By::command_line();
    let reset = node.parts.lifecycle.reset_password(id, PASSWORD, &by);
    assert!(reset.await.is_err());
    let target = Target::user(guest.user_id.as_str());
    let acts = server.deployment.acts(&node, 10).await;
    assert!(acts.contains(&(Act::Registered, target, None)), "{acts:?}");
    let alice = node.join("alice").await;
    let whoami = node.get(&alice, "account/whoami").await;
    assert_ne!(whoami["is_guest"], true);
    // No two guests are one.
    assert_ne!(node.guest().await.user_id, guest.user_id);
    let odd = format!("{REGISTER}?kind=friend");
    let refused = node.refused("", "POST", &odd, "{}").await;
    assert_eq!(refused, (400, "M_INVALID_PARAM".to_owned()));
}

/// What the specification lists for guests, below `/_matrix/client/`.
const LISTED: [&str; 27] = [
    "GET v3/rooms/{room_id}/state",
    "GET v3/rooms/{room_id}/context/{event_id}",
    "GET v3/rooms/{room_id}/event/{event_id}",
    "GET v3/rooms/{room_id}/state/{event_type}/{state_key}",
    // The same, without the empty state key.
    "GET v3/rooms/{room_id}/state/{event_type}",
    "GET v3/rooms/{room_id}/state/{event_type}/",
    "GET v3/rooms/{room_id}/messages",
    "GET v3/rooms/{room_id}/members",
    "GET v3/rooms/{room_id}/initialSync",
    "GET v3/sync",
    "GET v3/events",
    "GET v1/media/download/{server_name}/{media_id}",
    "GET v1/media/download/{server_name}/{media_id}/{filename}",
    "GET v1/media/thumbnail/{server_name}/{media_id}",
    "POST v3/rooms/{room_id}/join",
    "POST v3/rooms/{room_id}/leave",
    "PUT v3/rooms/{room_id}/send/{event_type}/{txn_id}",
    "PUT v3/rooms/{room_id}/state/{event_type}/{state_key}",
    "PUT v3/rooms/{room_id}/state/{event_type}",
    "PUT v3/rooms/{room_id}/state/{event_type}/",
    "PUT v3/sendToDevice/{event_type}/{txn_id}",
    // Of which a guest sets the display name alone.
    "PUT v3/profile/{user_id}/{field}",
    "GET v3/devices",
    "GET v3/devices/{device_id}",
    "PUT v3/devices/{device_id}",
    "GET v3/account/whoami",
    "POST v3/keys",
];

async fn a_guest_may_do_what_is_listed_and_nothing_else(mut server: Server) {
    let node = with_guests(&mut server).await;
    let guest = node.guest().await;
    let routes = routes::inventory();
    let by_caller = routes.iter().filter(|route| route.auth == "caller");
    let mut open = BTreeSet::new();
    for route in by_caller {
        if route.guests {
            let path = route.path.strip_prefix("/_matrix/client/").unwrap();
            open.insert(format!("{} {path}", route.method));
            continue;
        }
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
            .refused(&guest.token, &route.method, &path.join("/"), "")
            .await;
        assert_eq!(refused, no_guests(), "{route}");
    }
    let keys = ["upload", "query", "claim"];
    let keys = keys.map(|act| format!("POST v3/keys/{act}"));
    let listed = LISTED.iter().filter(|route| **route != "POST v3/keys");
    let listed: BTreeSet<String> = listed
        .map(|route| (*route).to_owned())
        .chain(keys)
        .collect();
    // Paths of before version 1.1 are the same operations.
    let today = open.iter().filter(|route| !route.contains(" r0/"));
    assert_eq!(today.cloned().collect::<BTreeSet<_>>(), listed);
    // What asks for no token answers to guests as to anybody.
    node.get(&guest, "publicRooms").await;
    node.get(&guest, &format!("profile/{}", guest.user_id))
        .await;
}

async fn a_guest_joins_rooms_that_let_guests_in_by_their_join_rules(mut server: Server) {
    let node = with_guests(&mut server).await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let guest = node.guest().await;
    let join = |room: &str| ("POST", format!("rooms/{room}/join"));
    let refused = async |room: &str| {
        let (method, path) = join(room);
        node.no(&guest, (method, &path), json!({})).await
    };
    let closed = node.public(&alice).await;
    assert_eq!(refused(&closed).await, no_guests());
    let own = format!("rooms/{closed}/state/m.room.member/{}", guest.user_id);
    let content = json!({ "membership": "join" });
    let tricked = node.no(&guest, ("PUT", &own), content).await;
    assert_eq!(tricked, no_guests());
    // An invitation opens no room that is closed to guests.
    node.on(&alice, "invite", &closed, &guest).await;
    assert_eq!(refused(&closed).await, no_guests());

    let private = node.inn(&alice, "private_chat").await;
    assert_eq!(refused(&private).await, (403, "M_FORBIDDEN".to_owned()));
    node.on(&alice, "invite", &private, &guest).await;
    node.go(&guest, "join", &private).await;

    let open = node.inn(&alice, "public_chat").await;
    let mut client = node.client(&alice).ready().await;
    node.go(&guest, "join", &open).await;
    let answer = client.next().await;
    let timeline = &joined(&answer, &open)["timeline"];
    assert_eq!(members(timeline), [(guest.user_id.as_str(), "join")]);
    node.say(&guest, &open, "hello").await;
    assert_eq!(
        texts(&joined(&client.next().await, &open)["timeline"]),
        ["hello"]
    );
    // They have the power of everybody, and never that over others' memberships.
    let topic = format!("rooms/{open}/state/m.room.topic");
    let refusal = node
        .no(&guest, ("PUT", &topic), json!({ "topic": "mine" }))
        .await;
    assert_eq!(refusal, (403, "M_FORBIDDEN".to_owned()));
    let levels = json!({ "users": { &guest.user_id: 100 }, "invite": 0 });
    node.set(&alice, &private, ("m.room.power_levels", ""), levels)
        .await;
    node.set(
        &guest,
        &private,
        ("m.room.topic", ""),
        json!({ "topic": "mine" }),
    )
    .await;
    for (target, membership) in [(&bob, "invite"), (&alice, "leave"), (&bob, "ban")] {
        let path = format!("rooms/{private}/state/m.room.member/{}", target.user_id);
        let content = json!({ "membership": membership });
        let refused = node.no(&guest, ("PUT", &path), content).await;
        assert_eq!(refused, no_guests(), "{membership}");
    }
    node.go(&guest, "leave", &open).await;
    let answer = client.next().await;
    let timeline = &joined(&answer, &open)["timeline"];
    assert_eq!(members(timeline), [(guest.user_id.as_str(), "leave")]);
}

async fn guests_leave_a_room_that_lets_guests_in_no_more(mut server: Server) {
    let node = with_guests(&mut server).await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.inn(&alice, "public_chat").await;
    let guests = [node.guest().await, node.guest().await];
    for user in guests.iter().chain([&bob]) {
        node.go(user, "join", &room).await;
    }
    let mut client = node.client(&guests[0]).ready().await;
    let slot = ("m.room.guest_access", "");
    // Who may not close it sends nobody away.
    let path = format!("rooms/{room}/state/m.room.guest_access");
    let closed = json!({ "guest_access": "forbidden" });
    let refused = node.no(&bob, ("PUT", &path), closed.clone()).await;
    assert_eq!(refused, (403, "M_FORBIDDEN".to_owned()));
    let waking = client.woken_by(node.set(&alice, &room, slot, closed));
    let answer = waking.await;
    let timeline = &left(&answer, &room)["timeline"];
    assert!(members(timeline).contains(&(guests[0].user_id.as_str(), "leave")));
    let now = node
        .get(&alice, &format!("rooms/{room}/joined_members"))
        .await;
    let now: BTreeSet<&str> = now["joined"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        now,
        BTreeSet::from([alice.user_id.as_str(), bob.user_id.as_str()])
    );
    let refused = node
        .no(
            &guests[1],
            ("POST", &format!("rooms/{room}/join")),
            json!({}),
        )
        .await;
    assert_eq!(refused, no_guests());
    node.set(&alice, &room, slot, json!({ "guest_access": "can_join" }))
        .await;
    node.go(&guests[1], "join", &room).await;
    // Nothing that clients do not know lets guests in.
    node.set(&alice, &room, slot, json!({ "guest_access": "sometimes" }))
        .await;
    let state = node
        .get(
            &alice,
            &format!("rooms/{room}/state/m.room.member/{}", guests[1].user_id),
        )
        .await;
    assert_eq!(state["membership"], "leave");
}

async fn a_guest_looks_into_rooms_that_everybody_may_read(mut server: Server) {
    let node = with_guests(&mut server).await;
    let alice = node.someone("alice").await;
    let guest = node.guest().await;
    let open = json!([{
        "type": "m.room.history_visibility", "state_key": "",
        "content": { "history_visibility": "world_readable" },
    }]);
    let body = json!({ "preset": "public_chat", "name": "Square", "initial_state": open });
    let square = node.create(&alice, body).await;
    let closed = node.public(&alice).await;
    let said = node.say(&alice, &square, "all may hear").await;
    node.say(&alice, &closed, "some may").await;
    let now = node
        .get(&guest, &format!("rooms/{square}/initialSync"))
        .await;
    let end = now["messages"]["end"].as_str().unwrap();
    node.say(&alice, &square, "news").await;
    let heard = node
        .get(&guest, &format!("events?room_id={square}&from={end}"))
        .await;
    assert_eq!(heard["chunk"][0]["content"]["body"], "news");
    for rest in ["messages?dir=b", "state", "members", "state/m.room.name"] {
        node.get(&guest, &format!("rooms/{square}/{rest}")).await;
        let refused = node
            .no(
                &guest,
                ("GET", &format!("rooms/{closed}/{rest}")),
                Value::Null,
            )
            .await;
        assert_eq!(refused, (403, "M_FORBIDDEN".to_owned()), "{rest}");
    }
    let event = node
        .get(&guest, &format!("rooms/{square}/event/{said}"))
        .await;
    assert_eq!(event["content"]["body"], "all may hear");
    node.get(&guest, &format!("rooms/{square}/context/{said}"))
        .await;
    for room in [&square, &closed] {
        let path = format!("rooms/{room}/send/m.room.message/t");
        let content = json!({ "msgtype": "m.text", "body": "me too" });
        let refused = node.no(&guest, ("PUT", &path), content).await;
        assert_eq!(refused, (403, "M_FORBIDDEN".to_owned()));
    }
}

async fn a_guest_has_a_name_and_a_device_to_keep(mut server: Server) {
    let node = with_guests(&mut server).await;
    let alice = node.someone("alice").await;
    let guest = node.guest().await;
    let room = node.inn(&alice, "public_chat").await;
    node.go(&guest, "join", &room).await;
    let profile = format!("profile/{}", guest.user_id);
    let name = json!({ "displayname": "A visitor" });
    node.call(
        &guest,
        "PUT",
        &format!("{profile}/displayname"),
        name.clone(),
    )
    .await;
    assert_eq!(node.get(&alice, &profile).await, name);
    let member = format!("rooms/{room}/state/m.room.member/{}", guest.user_id);
    assert_eq!(node.get(&alice, &member).await["displayname"], "A visitor");
    for (field, value) in [
        ("avatar_url", "mxc://localhost/x"),
        ("m.tz", "Europe/Paris"),
    ] {
        let path = format!("{profile}/{field}");
        let refused = node
            .no(&guest, ("PUT", &path), json!({ field: value }))
            .await;
        assert_eq!(refused, no_guests(), "{field}");
    }
    let devices = node.get(&guest, "devices").await;
    let device = devices["devices"][0]["device_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("devices/{device}");
    node.call(&guest, "PUT", &path, json!({ "display_name": "Kiosk" }))
        .await;
    assert_eq!(node.get(&guest, &path).await["display_name"], "Kiosk");
    let query = json!({ "device_keys": { &guest.user_id: [] } });
    node.call(&guest, "POST", "keys/query", query).await;
    node.to_device(&guest, &alice, "PHONE", json!({})).await;
}

/// What somebody sends who was a guest and becomes a person.
fn becoming(guest: &User, name: &str) -> Value {
    json!({
        "username": name, "password": PASSWORD, "guest_access_token": guest.token,
        "device_id": "PHONE", "auth": { "type": "m.login.dummy" },
    })
}

async fn a_guest_becomes_a_person_once(mut server: Server) {
    let node = with_guests(&mut server).await;
    let alice = node.someone("alice").await;
    let (guest, other) = (node.guest().await, node.guest().await);
    let (open, closed) = (
        node.inn(&alice, "public_chat").await,
        node.public(&alice).await,
    );
    node.go(&guest, "join", &open).await;
    let name = guest.localpart().to_owned();
    let forbidden = (403, "M_FORBIDDEN".to_owned());
    for (body, refusal) in [
        (becoming(&other, &name), forbidden.clone()),
        (becoming(&alice, &name), forbidden.clone()),
        (becoming(&alice, alice.localpart()), forbidden.clone()),
        (becoming(&guest, "somebody"), forbidden.clone()),
        (
            json!({ "password": PASSWORD, "guest_access_token": guest.token }),
            (400, "M_MISSING_PARAM".to_owned()),
        ),
        (
            json!({ "username": name, "password": PASSWORD, "guest_access_token": "nobody's" }),
            forbidden.clone(),
        ),
        (
            json!({ "username": name, "password": PASSWORD, "auth": { "type": "m.login.dummy" } }),
            (400, "M_USER_IN_USE".to_owned()),
        ),
    ] {
        let refused = node.refused("", "POST", REGISTER, &body.to_string()).await;
        assert_eq!(refused, refusal, "{body}");
    }
    let mut unproved = becoming(&guest, &name);
    unproved["auth"].take();
    unproved.as_object_mut().unwrap().remove("auth");
    let (status, challenge) = node.ask("", "POST", REGISTER, unproved.to_string()).await;
    assert_eq!((status.as_u16(), challenge.get("errcode")), (401, None));
    let whoami = node.get(&guest, "account/whoami").await;
    assert_eq!(whoami["is_guest"], true);

    let mut body = becoming(&guest, &name);
    body["auth"]["session"] = challenge["session"].clone();
    let answer = node.ok("", "POST", REGISTER, body.clone()).await;
    assert_eq!(answer["user_id"], guest.user_id);
    assert_eq!(answer["device_id"], "PHONE");
    let person = User {
        user_id: guest.user_id.clone(),
        token: answer["access_token"].as_str().unwrap().to_owned(),
    };
    // The guest's session goes on as the person's.
    for user in [&guest, &person] {
        assert_ne!(node.get(user, "account/whoami").await["is_guest"], true);
        node.create(user, json!({})).await;
    }
    let member = format!("rooms/{open}/state/m.room.member/{}", guest.user_id);
    assert_eq!(node.get(&person, &member).await["membership"], "join");
    node.go(&person, "join", &closed).await;
    node.set(
        &alice,
        &open,
        ("m.room.guest_access", ""),
        json!({ "guest_access": "forbidden" }),
    )
    .await;
    assert_eq!(node.get(&person, &member).await["membership"], "join");
    node.on_device(&person, "TABLET").await;
    let again = node.refused("", "POST", REGISTER, &body.to_string()).await;
    assert_eq!(again, forbidden);
    let target = Target::user(guest.user_id.as_str());
    let acts = server.deployment.acts(&node, 100).await;
    let registered = acts
        .iter()
        .filter(|act| **act == (Act::Registered, target.clone(), None));
    assert_eq!(registered.count(), 2);
}

async fn a_guest_who_is_locked_or_closed_does_nothing_more(mut server: Server) {
    let node = with_guests(&mut server).await;
    let boss = node.administrator("boss").await;
    let guest = node.guest().await;
    let path = format!("/_matrix/client/v1/admin/lock/{}", guest.user_id);
    node.ok(&boss.token, "PUT", &path, json!({ "locked": true }))
        .await;
    let refused = node
        .no(&guest, ("GET", "account/whoami"), Value::Null)
        .await;
    assert_eq!(refused, (401, "M_USER_LOCKED".to_owned()));
    let body = becoming(&guest, guest.localpart()).to_string();
    let refused = node.refused("", "POST", REGISTER, &body).await;
    assert_eq!(refused, (403, "M_FORBIDDEN".to_owned()));
    node.ok(&boss.token, "PUT", &path, json!({ "locked": false }))
        .await;
    let id = <&UserId>::try_from(guest.user_id.as_str()).unwrap();
    let by = accounts::By::command_line();
    node.parts
        .lifecycle
        .deactivate(id, false, &by)
        .await
        .unwrap();
    assert!(!node.knows(&guest.token).await);
    let refused = node.refused("", "POST", REGISTER, &body).await;
    assert_eq!(refused, (403, "M_FORBIDDEN".to_owned()));
}

async fn a_guest_who_becomes_a_person_at_two_nodes_becomes_one(mut server: Server) {
    if server.deployment.is_embedded() {
        return;
    }
    let node = with_guests(&mut server).await;
    let second = server.node().await;
    for number in 0..8 {
        let guest = node.guest().await;
        let body = becoming(&guest, guest.localpart()).to_string();
        let (one, two) = tokio::join!(
            node.ask("", "POST", REGISTER, body.clone()),
            second.ask("", "POST", REGISTER, body.clone()),
        );
        let statuses = BTreeSet::from([one.0.as_u16(), two.0.as_u16()]);
        assert_eq!(statuses, BTreeSet::from([200, 403]), "{number}");
    }
}
