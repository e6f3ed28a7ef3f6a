//! Inviting people into rooms by their addresses.

use std::sync::Arc;

use accounts::emails::{EMAIL_INVITE_LIFETIME, MOST_EMAIL_INVITES, MailKind, WaitingMail};
use mailroom::{Mailroom, Name};
use model::language::Language;
use outbox::Outbox;
use ruma::owned_server_name;
use serde_json::{Value, json};
use testkit::{entropy::SeededEntropy, eventually};
use tokio::task::JoinHandle;

use super::{SECRET, give, mails, prove, with_mail};
use crate::{
    server::{Node, PASSWORD, Server, User, on_both_engines},
    stage::{count, encoded},
};

on_both_engines! {
    an_address_of_an_account_invites_its_owner,
    who_is_known_by_an_address_alone_is_invited_when_they_come,
    who_registers_with_an_address_is_invited,
    a_room_is_made_with_people_who_are_known_by_addresses_alone,
    who_may_not_invite_learns_nothing_and_sends_nothing,
    an_address_is_not_flooded,
    an_invitation_that_is_worth_nothing_invites_nobody,
    an_invitation_that_was_taken_back_can_be_made_again,
    a_key_of_ones_own_puts_nobody_out_of_a_room,
}

const KEY: &str = "/_matrix/identity/v2/pubkey/ephemeral/isvalid";

/// Follows the log as the node that has a mail server does; nobody takes the mails.
pub(crate) fn work(server: &Server, node: &Node) -> JoinHandle<()> {
    let parts = &node.parts;
    // Nobody listens there.
    let mailer = server.deployment.mailer(1);
    let url = "https://chat.example.org";
    let name = Name::new(owned_server_name!("localhost"), url, Language::English);
    let owners = (parts.accounts.clone(), parts.rooms.clone());
    let outbox = Outbox::new(parts.log.clone(), Arc::new(SeededEntropy::new(count())));
    let mailroom = Mailroom::new(parts.log.clone(), owners, outbox, mailer, name);
    tokio::spawn(async move { mailroom.run().await })
}

fn by_address(address: &str) -> Value {
    json!({
        "id_server": "localhost", "id_access_token": "unused", "medium": "email",
        "address": address,
    })
}

async fn invite(node: &Node, who: &User, room: &str, address: &str) {
    let path = format!("rooms/{room}/invite");
    node.call(who, "POST", &path, by_address(address)).await;
}

async fn refused(node: &Node, who: &User, room: &str, body: &Value) -> (u16, String) {
    let path = format!("/_matrix/client/v3/rooms/{room}/invite");
    let body = body.to_string();
    node.refused(&who.token, "POST", &path, &body).await
}

/// The state events of a room that stand for people who are known by an address alone.
pub(crate) async fn unknown(node: &Node, who: &User, room: &str) -> Vec<Value> {
    let state = node.get(who, &format!("rooms/{room}/state")).await;
    let state = state.as_array().unwrap().iter();
    let unknown = state.filter(|event| event["type"] == "m.room.third_party_invite");
    unknown.cloned().collect()
}

async fn member(node: &Node, who: &User, room: &str, whom: &User) -> Value {
    let state = node.get(who, &format!("rooms/{room}/state")).await;
    let mut state = state.as_array().unwrap().iter();
    let member =
        state.find(|event| event["type"] == "m.room.member" && event["state_key"] == *whom.user_id);
    member.map_or(Value::Null, |event| event["content"].clone())
}

/// Waits until somebody is invited, and gives the content of the event.
pub(crate) async fn invited(node: &Node, who: &User, room: &str, whom: &User) -> Value {
    eventually("somebody is invited", || async {
        let member = member(node, who, room, whom).await;
        (member["membership"] == "invite").then_some(member)
    })
    .await
}

/// Waits until no invitation waits for its reader any more.
async fn settled(node: &Node) {
    eventually("the invitations are settled", || async {
        let due = node.parts.accounts.due_email_invites().await.unwrap();
        due.is_empty().then_some(())
    })
    .await;
}

pub(crate) async fn is_valid(node: &Node, key: &str) -> bool {
    let path = format!("{KEY}?public_key={}", encoded(key));
    let answer = node.ok("", "GET", &path, Value::Null).await;
    answer["valid"].as_bool().unwrap()
}

async fn invitations(node: &Node) -> Vec<WaitingMail> {
    let mails = mails(node).await.into_iter();
    let invitations = mails.filter(|mail| matches!(mail.kind, MailKind::RoomInvite(..)));
    invitations.collect()
}

async fn an_address_of_an_account_invites_its_owner(mut server: Server) {
    let node = with_mail(&mut server).await;
    let (ann, bob) = (node.join("ann").await, node.join("bob").await);
    give(&node, &bob, "bob", "bob@example.org").await;
    let room = node.create(&ann, json!({})).await;
    invite(&node, &ann, &room, "Bob@example.org").await;
    let content = member(&node, &ann, &room, &bob).await;
    assert_eq!(content["membership"], "invite");
    assert!(content.get("third_party_invite").is_none());
    assert!(unknown(&node, &ann, &room).await.is_empty());
    assert!(invitations(&node).await.is_empty());
    // What is asked of any invitation is asked of this one.
    node.go(&bob, "join", &room).await;
    let again = refused(&node, &ann, &room, &by_address("bob@example.org")).await;
    assert_eq!(again, (403, "M_FORBIDDEN".to_owned()));
}

async fn who_is_known_by_an_address_alone_is_invited_when_they_come(mut server: Server) {
    let node = with_mail(&mut server).await;
    let working = work(&server, &node);
    let (ann, bob) = (node.join("ann").await, node.join("bob").await);
    node.call(
        &ann,
        "PUT",
        &format!("profile/{}/displayname", ann.user_id),
        json!({"displayname": "Ann"}),
    )
    .await;
    let room = node.create(&ann, json!({"name": "Kitchen"})).await;
    for _ in 0..2 {
        invite(&node, &ann, &room, "bob@example.org").await;
    }
    let standing = unknown(&node, &ann, &room).await;
    assert_eq!(standing.len(), 1, "{standing:?}");
    let (content, token) = (&standing[0]["content"], &standing[0]["state_key"]);
    assert_eq!(content["display_name"], "b…@e…");
    let url = content["key_validity_url"].as_str().unwrap();
    assert!(url.ends_with(KEY), "{url}");
    let key = content["public_key"].as_str().unwrap();
    assert_eq!(content["public_keys"][0]["public_key"], key);
    assert!(is_valid(&node, key).await);
    assert!(!is_valid(&node, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").await);
    assert!(!is_valid(&node, "no key").await);
    let sent = invitations(&node).await;
    let [mail] = &sent[..] else {
        panic!("{sent:?}");
    };
    assert_eq!(mail.to.as_str(), "bob@example.org");
    let MailKind::RoomInvite(by, words) = &mail.kind else {
        panic!("{mail:?}");
    };
    assert_eq!(by.as_str(), ann.user_id);
    assert_eq!(words.inviter.as_deref(), Some("Ann"));
    assert_eq!(words.room.as_deref(), Some("Kitchen"));

    give(&node, &bob, "bob", "bob@example.org").await;
    let content = invited(&node, &ann, &room, &bob).await;
    let by = &content["third_party_invite"];
    assert_eq!(by["display_name"], "b…@e…");
    assert_eq!(by["signed"]["token"], *token);
    assert_eq!(by["signed"]["mxid"], bob.user_id);
    settled(&node).await;
    assert!(!is_valid(&node, key).await);
    node.go(&bob, "join", &room).await;
    assert_eq!(invitations(&node).await.len(), 1);
    working.abort();
}

async fn who_registers_with_an_address_is_invited(mut server: Server) {
    let node = with_mail(&mut server).await;
    let ann = node.join("ann").await;
    let room = node.create(&ann, json!({})).await;
    invite(&node, &ann, &room, "new@example.org").await;
    let sid = prove(&node, "register", "new@example.org").await;
    let body = json!({
        "username": "newcomer", "password": PASSWORD,
        "auth": {
            "type": "m.login.email.identity",
            "threepid_creds": {"sid": sid, "client_secret": SECRET},
        },
    });
    let path = "/_matrix/client/v3/register";
    let made = node.ok("", "POST", path, body).await;
    let newcomer = User {
        user_id: made["user_id"].as_str().unwrap().to_owned(),
        token: made["access_token"].as_str().unwrap().to_owned(),
    };
    // Whoever begins to work finds what was left.
    let working = work(&server, &node);
    invited(&node, &ann, &room, &newcomer).await;
    node.go(&newcomer, "join", &room).await;
    working.abort();
}

async fn a_room_is_made_with_people_who_are_known_by_addresses_alone(mut server: Server) {
    let node = with_mail(&mut server).await;
    let working = work(&server, &node);
    let (ann, bob, cleo) = (
        node.join("ann").await,
        node.join("bob").await,
        node.join("cleo").await,
    );
    give(&node, &bob, "bob", "bob@example.org").await;
    let addresses = ["bob@example.org", "cleo@example.org", "Cleo@example.org"];
    let body = json!({
        "name": "Garden", "invite": [bob.user_id],
        "invite_3pid": addresses.map(by_address),
    });
    let room = node.create(&ann, body).await;
    assert_eq!(
        member(&node, &ann, &room, &bob).await["membership"],
        "invite"
    );
    assert_eq!(unknown(&node, &ann, &room).await.len(), 1);
    let sent = invitations(&node).await;
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].to.as_str(), "cleo@example.org");
    give(&node, &cleo, "cleo", "cleo@example.org").await;
    invited(&node, &ann, &room, &cleo).await;
    working.abort();
}

async fn who_may_not_invite_learns_nothing_and_sends_nothing(mut server: Server) {
    let without = server.node().await;
    let ann = without.join("ann").await;
    let room = without.create(&ann, json!({})).await;
    let body = by_address("bob@example.org");
    let told = refused(&without, &ann, &room, &body).await;
    assert_eq!(told, (400, "M_THREEPID_MEDIUM_NOT_SUPPORTED".to_owned()));

    let node = with_mail(&mut server).await;
    let (bob, eve) = (node.join("bob").await, node.join("eve").await);
    give(&node, &bob, "bob", "bob@example.org").await;
    let levels = json!({"users_default": 0, "invite": 50});
    let body = json!({"preset": "public_chat", "power_level_content_override": levels});
    let room = node.create(&ann, body).await;
    for address in ["bob@example.org", "nobody@example.org"] {
        let told = refused(&node, &eve, &room, &by_address(address)).await;
        assert_eq!(told, (403, "M_FORBIDDEN".to_owned()), "{address}");
    }
    node.go(&eve, "join", &room).await;
    for address in ["bob@example.org", "nobody@example.org"] {
        let told = refused(&node, &eve, &room, &by_address(address)).await;
        assert_eq!(told, (403, "M_FORBIDDEN".to_owned()), "{address}");
    }
    let with = |name: &str, value: &str| {
        let mut body = by_address("nobody@example.org");
        body[name] = value.into();
        body
    };
    for (body, refusal) in [
        (
            with("medium", "msisdn"),
            (400, "M_THREEPID_MEDIUM_NOT_SUPPORTED"),
        ),
        (
            with("id_server", "vector.im"),
            (400, "M_SERVER_NOT_TRUSTED"),
        ),
        (with("address", "no address"), (400, "M_INVALID_PARAM")),
        (
            with("address", "a@b\r\nBcc: c@d.org"),
            (400, "M_INVALID_PARAM"),
        ),
    ] {
        let told = refused(&node, &ann, &room, &body).await;
        assert_eq!((told.0, &*told.1), refusal, "{body}");
        let body = json!({"invite_3pid": [body]}).to_string();
        let path = "/_matrix/client/v3/createRoom";
        let told = node.refused(&ann.token, "POST", path, &body).await;
        assert_eq!((told.0, &*told.1), refusal, "{body}");
    }
    assert!(unknown(&node, &ann, &room).await.is_empty());
    assert!(invitations(&node).await.is_empty());
}

async fn an_address_is_not_flooded(mut server: Server) {
    let node = with_mail(&mut server).await;
    let (ann, bob) = (node.join("ann").await, node.join("bob").await);
    let address = "many@example.org";
    for number in 0..6 {
        let who = [&ann, &bob][number % 2];
        let room = node.create(who, json!({})).await;
        if number < 5 {
            invite(&node, who, &room, address).await;
            continue;
        }
        let told = refused(&node, who, &room, &by_address(address)).await;
        assert_eq!(told, (429, "M_LIMIT_EXCEEDED".to_owned()));
        assert!(unknown(&node, who, &room).await.is_empty());
    }
    assert_eq!(invitations(&node).await.len(), 5);
    // And nobody writes to as many as they like.
    let room = node.create(&ann, json!({})).await;
    for number in 3..MOST_EMAIL_INVITES {
        invite(&node, &ann, &room, &format!("{number}@example.org")).await;
    }
    let one_more = by_address("one.more@example.org");
    let told = refused(&node, &ann, &room, &one_more).await;
    assert_eq!(told, (403, "M_FORBIDDEN".to_owned()));
    server.deployment.clock.advance(EMAIL_INVITE_LIFETIME);
    invite(&node, &ann, &room, "one.more@example.org").await;
}

/// What takes the worth of an invitation before its reader comes.
#[derive(Clone, Copy, Debug)]
enum Loss {
    TakenBack,
    InviterLeft,
    InviterLostPower,
    InviterClosed,
    ReaderBanned,
    ReaderCame,
    ReaderTakesNone,
    TooOld,
}

async fn an_invitation_that_is_worth_nothing_invites_nobody(mut server: Server) {
    let node = with_mail(&mut server).await;
    let working = work(&server, &node);
    let ann = node.someone("ann").await;
    for loss in [
        Loss::TakenBack,
        Loss::InviterLeft,
        Loss::InviterLostPower,
        Loss::InviterClosed,
        Loss::ReaderBanned,
        Loss::ReaderCame,
        Loss::ReaderTakesNone,
        Loss::TooOld,
    ] {
        let inviter = node.someone("inviter").await;
        let name = format!("reader-{}", count());
        let reader = node.join(&name).await;
        let room = node
            .create(
                &ann,
                json!({"preset": "public_chat", "power_level_content_override": {"invite": 0}}),
            )
            .await;
        node.go(&inviter, "join", &room).await;
        let address = format!("{name}@example.org");
        invite(&node, &inviter, &room, &address).await;
        let [standing] = &unknown(&node, &ann, &room).await[..] else {
            panic!("nobody is invited");
        };
        let token = standing["state_key"].as_str().unwrap();
        match loss {
            Loss::TakenBack => {
                let slot = ("m.room.third_party_invite", token);
                node.set(&ann, &room, slot, json!({})).await;
            }
            Loss::InviterLeft => node.go(&inviter, "leave", &room).await,
            Loss::InviterLostPower => {
                let slot = ("m.room.power_levels", "");
                let path = format!("rooms/{room}/state/m.room.power_levels/");
                let mut levels = node.get(&ann, &path).await;
                levels["invite"] = 50.into();
                node.set(&ann, &room, slot, levels).await;
            }
            Loss::InviterClosed => {
                let by = accounts::By::command_line();
                let user_id = inviter.user_id.as_str().try_into().unwrap();
                let lifecycle = &node.parts.lifecycle;
                lifecycle.deactivate(user_id, false, &by).await.unwrap();
            }
            Loss::ReaderBanned => node.on(&ann, "ban", &room, &reader).await,
            Loss::ReaderCame => node.go(&reader, "join", &room).await,
            Loss::ReaderTakesNone => {
                let content = json!({"default_action": "block"});
                let kind = "m.invite_permission_config";
                node.keep(&reader, None, kind, content).await;
            }
            Loss::TooOld => {
                server.deployment.clock.advance(EMAIL_INVITE_LIFETIME);
            }
        }
        let before = member(&node, &ann, &room, &reader).await;
        give(&node, &reader, &name, &address).await;
        settled(&node).await;
        assert_eq!(
            member(&node, &ann, &room, &reader).await,
            before,
            "{loss:?}"
        );
        assert_ne!(before["membership"], "invite", "{loss:?}");
    }
    working.abort();
}

async fn an_invitation_that_was_taken_back_can_be_made_again(mut server: Server) {
    let node = with_mail(&mut server).await;
    let working = work(&server, &node);
    let (ann, bob) = (node.join("ann").await, node.join("bob").await);
    let room = node.create(&ann, json!({})).await;
    invite(&node, &ann, &room, "bob@example.org").await;
    let first = unknown(&node, &ann, &room).await.remove(0);
    let slot = (
        "m.room.third_party_invite",
        first["state_key"].as_str().unwrap(),
    );
    node.set(&ann, &room, slot, json!({})).await;
    invite(&node, &ann, &room, "bob@example.org").await;
    let standing = unknown(&node, &ann, &room).await;
    assert_eq!(standing.len(), 2);
    let key = first["content"]["public_key"].as_str().unwrap();
    assert!(!is_valid(&node, key).await);
    assert_eq!(invitations(&node).await.len(), 2);
    give(&node, &bob, "bob", "bob@example.org").await;
    let content = invited(&node, &ann, &room, &bob).await;
    let token = &content["third_party_invite"]["signed"]["token"];
    assert_ne!(*token, first["state_key"]);
    working.abort();
}

/// The rules of rooms let whoever has set the event make anybody invited, members too.
async fn a_key_of_ones_own_puts_nobody_out_of_a_room(server: Server) {
    let node = server.node().await;
    let (ann, bob, eve) = (
        node.join("ann").await,
        node.join("bob").await,
        node.join("eve").await,
    );
    let body = json!({"preset": "public_chat", "power_level_content_override": {"invite": 0}});
    let room = node.create(&ann, body).await;
    for who in [&bob, &eve] {
        node.go(who, "join", &room).await;
    }
    let key = model::third_party_invite::InviteKey::from_seed(&[5; 32]);
    let content = json!({
        "display_name": "x", "key_validity_url": "https://example.org/key",
        "public_key": key.public_text(),
    });
    node.set(&eve, &room, ("m.room.third_party_invite", "mine"), content)
        .await;
    let signed = |whom: &User| {
        let user_id = whom.user_id.as_str().try_into().unwrap();
        let signed = key.sign(ruma::server_name!("localhost"), "mine", user_id);
        json!({
            "membership": "invite",
            "third_party_invite": {"display_name": "x", "signed": signed},
        })
    };
    let path = |whom: &User| {
        format!(
            "/_matrix/client/v3/rooms/{room}/state/m.room.member/{}",
            whom.user_id
        )
    };
    let body = signed(&bob).to_string();
    let told = node.refused(&eve.token, "PUT", &path(&bob), &body).await;
    assert_eq!(told, (403, "M_FORBIDDEN".to_owned()));
    assert_eq!(member(&node, &ann, &room, &bob).await["membership"], "join");
    // Others it invites, as long as she may invite.
    let cleo = node.join("cleo").await;
    node.set(&eve, &room, ("m.room.member", &cleo.user_id), signed(&cleo))
        .await;
    assert_eq!(
        member(&node, &ann, &room, &cleo).await["membership"],
        "invite"
    );
    node.go(&eve, "leave", &room).await;
    let dora = node.join("dora").await;
    let body = signed(&dora).to_string();
    let told = node.refused(&eve.token, "PUT", &path(&dora), &body).await;
    assert_eq!(told, (403, "M_FORBIDDEN".to_owned()));
}

#[tokio::test]
async fn two_nodes_invite_once() {
    let mut server = Server::postgres().await;
    server.deployment.mail = true;
    let (one, two) = (server.node().await, server.node().await);
    let (ann, bob) = (one.join("ann").await, one.join("bob").await);
    let mut rooms = Vec::new();
    for number in 0..8 {
        let room = one.create(&ann, json!({})).await;
        let address = format!("{number}@example.org");
        let path = format!("rooms/{room}/invite");
        // Twice at the same time, it is one invitation.
        tokio::join!(
            one.call(&ann, "POST", &path, by_address(&address)),
            two.call(&ann, "POST", &path, by_address(&address)),
        );
        assert_eq!(unknown(&two, &ann, &room).await.len(), 1);
        rooms.push((room, address));
    }
    assert_eq!(invitations(&two).await.len(), 8);
    for (_, address) in &rooms {
        give(&two, &bob, "bob", address).await;
    }
    let working = [work(&server, &one), work(&server, &two)];
    for (room, _) in &rooms {
        invited(&two, &ann, room, &bob).await;
        let path = format!("rooms/{room}/messages?dir=b&limit=20");
        let page = two.get(&ann, &path).await;
        let events = page["chunk"].as_array().unwrap().iter();
        let times = events.filter(|event| event["state_key"] == *bob.user_id);
        assert_eq!(times.count(), 1);
    }
    settled(&one).await;
    for working in working {
        working.abort();
    }
}
