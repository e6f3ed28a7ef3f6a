//! Notices of the server: the rooms in which people get them, and how often.

use std::collections::BTreeSet;

use accounts::{AccountKind, By, Grant, NewAccount, RegisterError};
use audit::{Act, Target};
use notices::{NoticeError, Notices, NoticesOptions, Told};
use rooms::EncryptionPolicy;
use ruma::{OwnedUserId, UserId};
use serde_json::{Value, json};

use crate::{
    server::{Node, PASSWORD, Server, User, on_both_engines},
    stage::{joined, members, of_type, texts},
};

on_both_engines! {
    postgres;
    the_first_notice_makes_a_room_and_invites_its_reader,
    the_reader_can_neither_decline_nor_leave_nor_speak,
    later_notices_come_into_the_same_room,
    a_notice_of_one_name_is_sent_once,
    everybody_is_told_some_at_a_time,
    nobody_is_the_one_who_sends_notices,
    a_name_that_is_somebodys_sends_nothing,
    notices_are_readable_where_everything_else_is_encrypted,
    notices_reach_who_takes_no_invitations_and_guests_who_are_named,
    a_closed_account_leaves_its_room_and_is_told_nothing,
    the_record_says_who_was_told_and_not_what,
    who_sends_can_be_called_otherwise_later,
    two_nodes_make_one_room_and_lose_no_notice,
}

const SENDER: &str = "@notices:localhost";

impl Node {
    fn notices(&self) -> Notices {
        self.notices_by("notices")
    }

    fn notices_by(&self, localpart: &str) -> Notices {
        let parts = &self.parts;
        let options = NoticesOptions {
            localpart: localpart.to_owned(),
            display_name: "Server notices".to_owned(),
        };
        Notices::new(
            parts.log.clone(),
            parts.accounts.clone(),
            parts.rooms.clone(),
            options,
        )
    }

    async fn tell(&self, user: &User, id: &str, text: &str) -> Result<Told, NoticeError> {
        let notices = self.notices();
        notices
            .send(&id_of(user), id, text, &By::command_line())
            .await
    }

    /// The room to which somebody is invited.
    async fn invited_to(&self, user: &User) -> String {
        let answer = self.client(user).next().await;
        let invited = answer["rooms"]["invite"].as_object();
        let rooms: Vec<&String> = invited.map_or(Vec::new(), |rooms| rooms.keys().collect());
        assert_eq!(rooms.len(), 1, "{answer}");
        rooms[0].clone()
    }

    /// What is refused of the client-server API.
    async fn not(&self, user: &User, (method, rest): (&str, &str), body: Value) -> (u16, String) {
        let path = format!("/_matrix/client/v3/{rest}");
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        self.refused(&user.token, method, &path, &body).await
    }
}

fn id_of(user: &User) -> OwnedUserId {
    OwnedUserId::try_from(user.user_id.as_str()).unwrap()
}

fn stuck() -> (u16, String) {
    (403, "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM".to_owned())
}

async fn the_first_notice_makes_a_room_and_invites_its_reader(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let mut client = node.client(&alice).ready().await;
    let answer = client
        .woken_by(node.tell(&alice, "one", "The office closes."))
        .await;
    let invited = answer["rooms"]["invite"].as_object().unwrap();
    let (room, invite) = invited.iter().next().unwrap();
    let told = members(&invite["invite_state"]);
    assert!(
        told.contains(&(alice.user_id.as_str(), "invite")),
        "{told:?}"
    );
    let name = of_type(&invite["invite_state"], "m.room.name").unwrap();
    assert_eq!(name["content"]["name"], "Server notices");
    assert!(of_type(&invite["invite_state"], "m.room.encryption").is_none());
    let tags = format!("user/{}/rooms/{room}/tags", alice.user_id);
    let tags = node.get(&alice, &tags).await;
    assert_eq!(tags, json!({ "tags": { "m.server_notice": {} } }));
    node.go(&alice, "join", room).await;
    let answer = client.next().await;
    let room_now = joined(&answer, room);
    let tag = of_type(&room_now["account_data"], "m.tag").unwrap();
    assert_eq!(tag["content"]["tags"], json!({ "m.server_notice": {} }));
    let told = of_type(&room_now["timeline"], "m.room.message").unwrap();
    assert_eq!(told["sender"], SENDER);
    let content = json!({
        "msgtype": "m.server_notice", "body": "The office closes.",
        "server_notice_type": "conclave.notice",
    });
    assert_eq!(told["content"], content);
    let members = node
        .get(&alice, &format!("rooms/{room}/joined_members"))
        .await;
    let members: BTreeSet<&str> = members["joined"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(members, BTreeSet::from([SENDER, alice.user_id.as_str()]));
}

async fn the_reader_can_neither_decline_nor_leave_nor_speak(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    node.tell(&alice, "one", "hello").await.unwrap();
    let room = node.invited_to(&alice).await;
    let own = format!("rooms/{room}/state/m.room.member/{}", alice.user_id);
    let leave = format!("rooms/{room}/leave");
    for _ in 0..2 {
        assert_eq!(node.not(&alice, ("POST", &leave), json!({})).await, stuck());
        let left = json!({ "membership": "leave" });
        let refused = node.not(&alice, ("PUT", &own), left).await;
        assert_eq!(refused, stuck());
        node.go(&alice, "join", &room).await;
    }
    let forbidden = (403, "M_FORBIDDEN".to_owned());
    for (method, rest, body) in [
        (
            "PUT",
            "send/m.room.message/t",
            json!({ "msgtype": "m.text", "body": "why?" }),
        ),
        ("PUT", "state/m.room.topic", json!({ "topic": "mine" })),
        ("POST", "invite", json!({ "user_id": bob.user_id })),
        ("POST", "kick", json!({ "user_id": SENDER })),
        ("POST", "upgrade", json!({ "new_version": "12" })),
    ] {
        let refused = node
            .not(&alice, (method, &format!("rooms/{room}/{rest}")), body)
            .await;
        assert_eq!(refused, forbidden, "{rest}");
    }
    // Nobody else comes in.
    let refused = node
        .not(&bob, ("POST", &format!("rooms/{room}/join")), json!({}))
        .await;
    assert_eq!(refused, forbidden);
    let state = node.get(&alice, &own).await;
    assert_eq!(state["membership"], "join");
}

async fn later_notices_come_into_the_same_room(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    node.tell(&alice, "one", "first").await.unwrap();
    node.tell(&alice, "two", "second").await.unwrap();
    let room = node.invited_to(&alice).await;
    node.tell(&bob, "one", "first").await.unwrap();
    assert_ne!(node.invited_to(&bob).await, room);
    node.go(&alice, "join", &room).await;
    let mut client = node.client(&alice).ready().await;
    let news = client.woken_by(node.tell(&alice, "three", "third")).await;
    assert_eq!(texts(&joined(&news, &room)["timeline"]), ["third"]);
    let all = node
        .get(&alice, &format!("rooms/{room}/messages?dir=b"))
        .await;
    let said = all["chunk"].as_array().unwrap().iter();
    let said: Vec<&str> = said
        .filter_map(|event| event["content"]["body"].as_str())
        .collect();
    assert_eq!(said, ["third", "second", "first"]);
}

async fn a_notice_of_one_name_is_sent_once(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    assert_eq!(node.tell(&alice, "one", "hello").await.unwrap(), Told::Now);
    let room = node.invited_to(&alice).await;
    node.go(&alice, "join", &room).await;
    let head = node.parts.log.applied();
    for text in ["hello", "another text"] {
        assert_eq!(node.tell(&alice, "one", text).await.unwrap(), Told::Before);
    }
    assert_eq!(node.parts.log.applied(), head);
    for (id, text) in [("", "hello"), ("two", ""), ("two", " \n")] {
        assert!(node.tell(&alice, id, text).await.is_err());
    }
    let long = "x".repeat(notices::MAX_TEXT_BYTES);
    node.tell(&alice, "long", &long).await.unwrap();
    let refused = node.tell(&alice, "longer", &format!("{long}x")).await;
    assert!(matches!(refused, Err(NoticeError::Text)));
    let nobody = User {
        user_id: "@nobody:localhost".to_owned(),
        token: String::new(),
    };
    let refused = node.tell(&nobody, "one", "hello").await;
    assert!(matches!(refused, Err(NoticeError::NoSuchUser)));
}

async fn everybody_is_told_some_at_a_time(mut server: Server) {
    server.deployment.guests = true;
    let node = server.node().await;
    let mut people = Vec::new();
    for number in 0..5 {
        people.push(node.join(&format!("reader{number}")).await);
    }
    let path = "/_matrix/client/v3/register?kind=guest";
    node.ok("", "POST", path, json!({})).await;
    let notices = node.notices();
    let by = By::command_line();
    // One had it before, as after a page that broke off.
    node.tell(&people[1], "all", "hello").await.unwrap();
    let last = node
        .parts
        .accounts
        .account(&id_of(&people[0]))
        .await
        .unwrap()
        .unwrap();
    let page = notices
        .send_to_some(last.user, "all", "hello", &by)
        .await
        .unwrap();
    assert_eq!(
        (page.told, page.before, page.untold.len(), page.next),
        (3, 1, 0, None)
    );
    let page = notices.send_to_some(0, "all", "hello", &by).await.unwrap();
    assert_eq!((page.told, page.before), (1, 4));
    for reader in &people {
        let room = node.invited_to(reader).await;
        node.go(reader, "join", &room).await;
        let all = node
            .get(reader, &format!("rooms/{room}/messages?dir=b"))
            .await;
        let said = all["chunk"].as_array().unwrap().iter();
        assert_eq!(
            said.filter(|event| event["type"] == "m.room.message")
                .count(),
            1
        );
    }
    // More people than one page looks at.
    let mut made = Vec::new();
    for number in 0..200 {
        let new = NewAccount {
            localpart: Some(format!("many{number}")),
            ..NewAccount::default()
        };
        made.push(
            node.parts
                .accounts
                .register(new, Grant::Administrator, by.clone()),
        );
    }
    futures_util::future::try_join_all(made).await.unwrap();
    let (mut next, mut told, mut pages) = (Some(0), 0, 0);
    while let Some(after) = next {
        let page = notices
            .send_to_some(after, "more", "hello", &by)
            .await
            .unwrap();
        assert!(page.untold.is_empty(), "{:?}", page.untold);
        (next, told, pages) = (page.next, told + page.told, pages + 1);
    }
    assert_eq!((told, pages), (205, 2));
}

async fn nobody_is_the_one_who_sends_notices(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let boss = node.administrator("boss").await;
    let register = json!({
        "username": "notices", "password": PASSWORD, "auth": { "type": "m.login.dummy" },
    });
    let login = json!({
        "type": "m.login.password", "password": PASSWORD,
        "identifier": { "type": "m.id.user", "user": "notices" },
    });
    let sender = <&UserId>::try_from(SENDER).unwrap();
    for known in [false, true] {
        let taken = (400, "M_USER_IN_USE".to_owned());
        let path = "/_matrix/client/v3/register";
        let refused = node.refused("", "POST", path, &register.to_string()).await;
        assert_eq!(refused, taken);
        let path = "/_matrix/client/v3/register/available?username=notices";
        assert_eq!(node.refused("", "GET", path, "").await, taken);
        let refused = node
            .refused("", "POST", "/_matrix/client/v3/login", &login.to_string())
            .await;
        assert_eq!(refused, (403, "M_FORBIDDEN".to_owned()));
        let new = NewAccount {
            localpart: Some("notices".to_owned()),
            ..NewAccount::default()
        };
        let accounts = &node.parts.accounts;
        let made = accounts
            .register(new, Grant::Administrator, By::command_line())
            .await;
        assert!(matches!(made, Err(RegisterError::Taken)));
        if !known {
            node.tell(&alice, "one", "hello").await.unwrap();
        }
    }
    let account = node.parts.accounts.account(sender).await.unwrap().unwrap();
    assert_eq!(
        (account.kind, account.has_password),
        (AccountKind::Server, false)
    );
    let by = By::command_line();
    assert!(
        node.parts
            .lifecycle
            .reset_password(sender, PASSWORD, &by)
            .await
            .is_err()
    );
    assert!(
        node.parts
            .lifecycle
            .deactivate(sender, true, &by)
            .await
            .is_err()
    );
    assert!(
        node.parts
            .accounts
            .set_admin(sender, true, by.clone())
            .await
            .is_err()
    );
    let device = accounts::NewDevice::default();
    assert!(
        node.parts
            .accounts
            .sign_in_trusted(sender, device, by)
            .await
            .is_err()
    );
    let lock = format!("/_matrix/client/v1/admin/lock/{SENDER}");
    let refused = node
        .refused(&boss.token, "PUT", &lock, r#"{"locked":true}"#)
        .await;
    assert_eq!(refused, (404, "M_NOT_FOUND".to_owned()));
    let profile = node.get(&alice, &format!("profile/{SENDER}")).await;
    assert_eq!(profile, json!({ "displayname": "Server notices" }));
    for term in ["notices", "Server", SENDER] {
        let found = node
            .call(
                &alice,
                "POST",
                "user_directory/search",
                json!({ "search_term": term }),
            )
            .await;
        assert_eq!(found["results"], json!([]), "{term}");
    }
    let room = node.public(&alice).await;
    let invite = format!("rooms/{room}/invite");
    let refused = node
        .not(&alice, ("POST", &invite), json!({ "user_id": SENDER }))
        .await;
    assert_eq!(refused, (403, "M_INVITE_BLOCKED".to_owned()));
    let itself = User {
        user_id: SENDER.to_owned(),
        token: String::new(),
    };
    let refused = node.tell(&itself, "one", "hello").await;
    assert!(matches!(refused, Err(NoticeError::NoSuchUser)));
}

async fn a_name_that_is_somebodys_sends_nothing(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let notices = node.notices_by(bob.localpart());
    let sent = notices
        .send(&id_of(&alice), "one", "hello", &By::command_line())
        .await;
    assert!(matches!(sent, Err(NoticeError::NameTaken(id)) if id == id_of(&bob)));
    let all = notices
        .send_to_some(0, "one", "hello", &By::command_line())
        .await;
    assert!(matches!(all, Err(NoticeError::NameTaken(_))));
    let answer = node.client(&alice).next().await;
    assert!(answer["rooms"].get("invite").is_none(), "{answer}");
}

async fn notices_are_readable_where_everything_else_is_encrypted(mut server: Server) {
    server.deployment.encryption = EncryptionPolicy::Required;
    let node = server.node().await;
    let alice = node.someone("alice").await;
    node.tell(&alice, "one", "hello").await.unwrap();
    let room = node.invited_to(&alice).await;
    node.go(&alice, "join", &room).await;
    node.tell(&alice, "two", "again").await.unwrap();
    let all = node
        .get(&alice, &format!("rooms/{room}/messages?dir=b"))
        .await;
    let said = all["chunk"].as_array().unwrap().iter();
    let said: Vec<&str> = said
        .filter_map(|event| event["content"]["body"].as_str())
        .collect();
    assert_eq!(said, ["again", "hello"]);
    let encryption = format!("rooms/{room}/state/m.room.encryption");
    let refused = node.not(&alice, ("GET", &encryption), Value::Null).await;
    assert_eq!(refused, (404, "M_NOT_FOUND".to_owned()));
    // Nobody makes such a room for themselves.
    let refused = node
        .not(
            &alice,
            ("POST", "createRoom"),
            json!({ "preset": "public_chat" }),
        )
        .await;
    assert_eq!(refused, (403, "M_FORBIDDEN".to_owned()));
}

async fn notices_reach_who_takes_no_invitations_and_guests_who_are_named(mut server: Server) {
    server.deployment.guests = true;
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let block = json!({ "default_action": "block" });
    node.keep(&alice, None, "m.invite_permission_config", block)
        .await;
    node.tell(&alice, "one", "hello").await.unwrap();
    node.invited_to(&alice).await;
    let path = "/_matrix/client/v3/register?kind=guest";
    let answer = node.ok("", "POST", path, json!({})).await;
    let guest = User {
        user_id: answer["user_id"].as_str().unwrap().to_owned(),
        token: answer["access_token"].as_str().unwrap().to_owned(),
    };
    node.tell(&guest, "one", "hello").await.unwrap();
    let room = node.invited_to(&guest).await;
    node.go(&guest, "join", &room).await;
    let leave = format!("rooms/{room}/leave");
    assert_eq!(node.not(&guest, ("POST", &leave), json!({})).await, stuck());
}

async fn a_closed_account_leaves_its_room_and_is_told_nothing(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    for user in [&alice, &bob] {
        node.tell(user, "one", "hello").await.unwrap();
    }
    let room = node.invited_to(&alice).await;
    node.go(&alice, "join", &room).await;
    let by = By::command_line();
    for user in [&alice, &bob] {
        let id = id_of(user);
        node.parts
            .lifecycle
            .deactivate(&id, false, &by)
            .await
            .unwrap();
        let account = node.parts.accounts.account(&id).await.unwrap().unwrap();
        let room = node
            .parts
            .rooms
            .notices_room(account.user)
            .await
            .unwrap()
            .unwrap();
        let membership = model::room_state::StateView::membership(&*room.state, &id);
        assert_eq!(membership.to_string(), "leave");
        let refused = node.tell(user, "two", "hello").await;
        assert!(matches!(refused, Err(NoticeError::NoSuchUser)));
    }
}

async fn the_record_says_who_was_told_and_not_what(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    node.tell(&alice, "one", "Nobody may know this.")
        .await
        .unwrap();
    node.tell(&alice, "two", "Nor this.").await.unwrap();
    node.tell(&alice, "two", "Nor this.").await.unwrap();
    let records = server.deployment.records(&node, 20).await;
    let told: Vec<_> = records
        .iter()
        .filter(|record| record.act() == Act::NoticeSent)
        .collect();
    assert_eq!(told.len(), 2);
    for (record, id) in told.into_iter().zip(["two", "one"]) {
        assert_eq!(record.target(), &Target::user(alice.user_id.as_str()));
        assert_eq!(record.details().collect::<Vec<_>>(), [("id", id)]);
    }
    let target = Target::user(SENDER);
    let made = records.iter().filter(|record| record.target() == &target);
    assert_eq!(
        made.map(|record| record.act()).collect::<Vec<_>>(),
        [Act::AccountCreated]
    );
}

async fn who_sends_can_be_called_otherwise_later(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    node.tell(&alice, "one", "hello").await.unwrap();
    let room = node.invited_to(&alice).await;
    node.go(&alice, "join", &room).await;
    let other = node.notices_by("the.server");
    let by = By::command_line();
    for user in [&alice, &bob] {
        other.send(&id_of(user), "two", "again", &by).await.unwrap();
    }
    let all = node
        .get(&alice, &format!("rooms/{room}/messages?dir=b&limit=1"))
        .await;
    assert_eq!(all["chunk"][0]["sender"], SENDER);
    let room = node.invited_to(&bob).await;
    node.go(&bob, "join", &room).await;
    let all = node
        .get(&bob, &format!("rooms/{room}/members?membership=join"))
        .await;
    let members = all["chunk"].as_array().unwrap().iter();
    let members: BTreeSet<&str> = members
        .map(|event| event["state_key"].as_str().unwrap())
        .collect();
    assert!(members.contains("@the.server:localhost"), "{members:?}");
}

async fn two_nodes_make_one_room_and_lose_no_notice(server: Server) {
    if server.deployment.is_embedded() {
        return;
    }
    let (one, two) = (server.node().await, server.node().await);
    for number in 0..8 {
        let user = one.someone("reader").await;
        two.parts.log.barrier().await.unwrap();
        // The same notice at both nodes, and another one at each.
        let (first, second, third, fourth) = tokio::join!(
            one.tell(&user, "same", "same"),
            two.tell(&user, "same", "same"),
            one.tell(&user, "mine", "from one"),
            two.tell(&user, "yours", "from two"),
        );
        let same = [first.unwrap(), second.unwrap()];
        assert!(
            same.contains(&Told::Now) && same.contains(&Told::Before),
            "{number}: {same:?}"
        );
        assert_eq!((third.unwrap(), fourth.unwrap()), (Told::Now, Told::Now));
        one.parts.log.barrier().await.unwrap();
        let room = one.invited_to(&user).await;
        one.go(&user, "join", &room).await;
        let all = one
            .get(&user, &format!("rooms/{room}/messages?dir=b"))
            .await;
        let said = all["chunk"].as_array().unwrap().iter();
        let said: BTreeSet<&str> = said
            .filter_map(|event| event["content"]["body"].as_str())
            .collect();
        assert_eq!(said, BTreeSet::from(["same", "from one", "from two"]));
    }
}
