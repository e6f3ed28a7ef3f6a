//! Mails about what somebody has not read: when, how often, of what, and to whom not.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use model::time::{Clock, Timestamp};
use pushers::StopLink;
use serde_json::{Value, json};
use testkit::{
    eventually,
    servers::{Smtp, SmtpEncryption, SmtpOptions},
};

use super::outbox;
use crate::{
    server::{Node, Server, User, on_both_engines},
    third_party_ids::give,
};

const LANE: &str = "push.mail";

const MINUTE: Duration = Duration::from_secs(60);

on_both_engines! {
    what_stays_unread_for_ten_minutes_is_mailed_once_and_without_what_was_said,
    what_was_read_or_redacted_or_is_nobodys_any_more_is_not_mailed,
    mails_that_nobody_reads_become_rarer_until_somebody_does,
    an_address_that_was_taken_away_is_not_written_to,
    the_link_in_a_mail_stops_them,
    a_mail_server_that_is_away_gets_the_mail_when_it_is_back,
    an_address_that_no_mail_server_takes_is_one_dead_letter,
    a_name_makes_neither_header_nor_markup_nor_link_in_any_language,
    only_an_address_of_ones_own_is_written_to,
}

fn smtp() -> Smtp {
    let options = SmtpOptions {
        encryption: SmtpEncryption::None,
        certificate: None,
        user: None,
    };
    Smtp::start(options).unwrap()
}

/// A node that gives mail to a mail server, and two people of whom the first wants it.
async fn couple(server: &mut Server, smtp: &Smtp, email: &str) -> (Node, User, User) {
    server.deployment.mail = true;
    server.deployment.smtp = Some(smtp.port());
    let node = server.node().await;
    let (ada, ben) = (node.join("ada").await, node.join("ben").await);
    give(&node, &ada, "ada", email).await;
    node.call(&ada, "POST", "pushers/set", pusher(email, "en"))
        .await;
    (node, ada, ben)
}

fn pusher(email: &str, lang: &str) -> Value {
    json!({
        "kind": "email",
        "app_id": "m.email",
        "pushkey": email,
        "app_display_name": "Mail",
        "device_display_name": "Mail",
        "lang": lang,
        "data": {},
    })
}

/// A room of the second, with the first in it.
async fn room_of(node: &Node, ada: &User, ben: &User, name: &str) -> String {
    let room = json!({ "preset": "public_chat", "name": name });
    let room = node.create(ben, room).await;
    node.go(ada, "join", &room).await;
    room
}

/// Lets time pass: up to when the next letter is looked at. While one is, time all but stands still,
/// because a mail server is given a minute.
async fn pass(server: &Server, node: &Node) {
    const NEXT: &str = "SELECT MIN(next_at) FROM outbox_targets WHERE lane = $1";
    let clock = &server.deployment.clock;
    let database = node.parts.log.database();
    let row = database.query_opt(NEXT, &[LANE.into()]).await.unwrap();
    let next = row.and_then(|row| row.opt_int(0).unwrap());
    let next = Timestamp::from_millis(next.unwrap_or(0));
    let until = next.since(clock.now()).max(Duration::from_millis(100));
    clock.advance(until);
}

/// Lets time pass until so many mails have come.
async fn arrived(server: &Server, node: &Node, smtp: &Smtp, count: usize) -> Vec<String> {
    let mails = eventually("the mails arrive", || async {
        pass(server, node).await;
        let mails = smtp.mails();
        (mails.len() >= count).then_some(mails)
    })
    .await;
    assert_eq!(mails.len(), count);
    mails
}

/// How many letters wait in the lane.
async fn waiting(server: &Server) -> i64 {
    let waiting = outbox(server).waiting().await.unwrap();
    let lane = waiting.iter().find(|waiting| waiting.lane == LANE);
    lane.map_or(0, |lane| lane.letters)
}

/// Waits until so many letters wait.
async fn wait_for(server: &Server, letters: i64) {
    eventually("letters wait", || async {
        (waiting(server).await == letters).then_some(())
    })
    .await;
}

/// Lets time pass until nothing waits.
async fn settled(server: &Server, node: &Node) {
    eventually("nothing waits", || async {
        pass(server, node).await;
        (waiting(server).await == 0).then_some(())
    })
    .await;
}

/// The value of a header.
fn header<'a>(mail: &'a str, name: &str) -> &'a str {
    let (_, rest) = mail.split_once(&format!("\r\n{name}: ")).unwrap();
    rest.split_once("\r\n").unwrap().0
}

/// How long after a moment a mail was written, within a day.
fn written_after(mail: &str, moment: Timestamp) -> Duration {
    let date = header(mail, "Date");
    let time = date.split(' ').nth(4).unwrap();
    let seconds = time.split(':').fold(0, |seconds, part| {
        seconds * 60 + part.parse::<i64>().unwrap()
    });
    let day = 24 * 60 * 60;
    let since = (seconds - moment.as_millis() / 1_000).rem_euclid(day);
    Duration::from_secs(since.try_into().unwrap())
}

/// What the parts of a mail say.
fn read(mail: &str) -> String {
    let mut said = String::new();
    for part in mail.split("\r\n--=_") {
        let Some((head, body)) = part.split_once("\r\n\r\n") else {
            continue;
        };
        let bytes = if head.contains("base64") {
            BASE64_STANDARD.decode(body.replace("\r\n", "")).unwrap()
        } else {
            unquoted(&body.replace("=\r\n", ""))
        };
        said.push_str(&String::from_utf8(bytes).unwrap());
    }
    said
}

/// Reads quoted-printable.
fn unquoted(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'=' {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            let digits = std::str::from_utf8(&digits).unwrap();
            bytes.push(u8::from_str_radix(digits, 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    bytes
}

async fn what_stays_unread_for_ten_minutes_is_mailed_once_and_without_what_was_said(
    mut server: Server,
) {
    let smtp = smtp();
    let (node, ada, ben) = couple(&mut server, &smtp, "ada@example.org").await;
    let name = format!("profile/{}/displayname", ben.user_id);
    node.call(&ben, "PUT", &name, json!({ "displayname": "Ben" }))
        .await;
    let kitchen = room_of(&node, &ada, &ben, "Kitchen").await;
    let secret = room_of(&node, &ada, &ben, "Secret").await;
    let algorithm = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    node.set(&ben, &secret, ("m.room.encryption", ""), algorithm)
        .await;
    let den = json!({ "preset": "private_chat", "name": "Den" });
    let den = node.create(&ben, den).await;
    let clock = server.deployment.clock.clone();
    let began = clock.now();
    node.say(&ben, &kitchen, "the soup is ready").await;
    node.say(&ben, &kitchen, "the soup is cold").await;
    let ciphertext = json!({
        "algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "gibberish", "session_id": "s",
    });
    node.send(&ben, &secret, "m.room.encrypted", ciphertext)
        .await;
    node.on(&ben, "invite", &den, &ada).await;
    wait_for(&server, 4).await;
    let mails = arrived(&server, &node, &smtp, 1).await;
    let first = &mails[0];
    assert!(first.contains("RCPT TO: ada@example.org\r\n"));
    assert!(written_after(first, began) >= 10 * MINUTE);
    let said = read(first);
    for line in [
        "“Kitchen”: 2 unread messages",
        "“Secret”: 1 unread message\n",
        "“Ben” invites you to “Den”",
    ] {
        let said = said.replace("\r\n", "\n");
        assert!(said.contains(line), "{line} is not in\n{said}");
    }
    assert!(!first.contains("soup") && !said.contains("soup") && !said.contains("gibberish"));
    assert_eq!(
        header(first, "List-Unsubscribe-Post"),
        "List-Unsubscribe=One-Click"
    );
    settled(&server, &node).await;
    // What was told is told again only with something new, and later.
    let sent = began.plus(written_after(first, began));
    node.say(&ben, &kitchen, "come").await;
    let mails = arrived(&server, &node, &smtp, 2).await;
    assert!(written_after(&mails[1], sent) >= 40 * MINUTE);
    assert!(read(&mails[1]).contains("“Kitchen”: 3 unread messages"));
    assert_ne!(header(first, "Message-ID"), header(&mails[1], "Message-ID"));
}

async fn what_was_read_or_redacted_or_is_nobodys_any_more_is_not_mailed(mut server: Server) {
    let smtp = smtp();
    let (node, ada, ben) = couple(&mut server, &smtp, "ada@example.org").await;
    let mut said = Vec::new();
    for name in ["read", "redacted", "left", "quiet"] {
        let room = room_of(&node, &ada, &ben, name).await;
        let event = node.say(&ben, &room, "soup").await;
        said.push((room, event));
    }
    wait_for(&server, 4).await;
    let [read, redacted, left, quiet] = &said[..] else {
        panic!("there are four");
    };
    node.read(&ada, &read.0, "m.read", &read.1, json!({})).await;
    node.redact(&ben, &redacted.0, &redacted.1).await;
    node.go(&ada, "leave", &left.0).await;
    let rule = format!("pushrules/global/room/{}", quiet.0);
    node.call(&ada, "PUT", &rule, json!({ "actions": [] }))
        .await;
    settled(&server, &node).await;
    assert!(smtp.mails().is_empty());
    // Each message has its ten minutes, also where another that was read waits before it.
    let first = node.say(&ben, &read.0, "more soup").await;
    wait_for(&server, 1).await;
    node.read(&ada, &read.0, "m.read", &first, json!({})).await;
    server.deployment.clock.advance(9 * MINUTE);
    let began = server.deployment.clock.now();
    node.say(&ben, &read.0, "even more soup").await;
    let mails = arrived(&server, &node, &smtp, 1).await;
    assert!(written_after(&mails[0], began) >= 10 * MINUTE);
}

async fn mails_that_nobody_reads_become_rarer_until_somebody_does(mut server: Server) {
    let smtp = smtp();
    let (node, ada, ben) = couple(&mut server, &smtp, "ada@example.org").await;
    let room = room_of(&node, &ada, &ben, "Kitchen").await;
    let mut before = server.deployment.clock.now();
    let mut newest = String::new();
    for (count, least) in [(1, 10), (2, 40), (3, 160)] {
        newest = node.say(&ben, &room, "soup").await;
        let mails = arrived(&server, &node, &smtp, count).await;
        let after = written_after(&mails[count - 1], before);
        assert!(after >= least * MINUTE, "{count}: {after:?}");
        before = before.plus(after);
        settled(&server, &node).await;
    }
    node.read(&ada, &room, "m.read", &newest, json!({})).await;
    let began = server.deployment.clock.now();
    node.say(&ben, &room, "soup").await;
    let mails = arrived(&server, &node, &smtp, 4).await;
    let after = written_after(&mails[3], began);
    assert!(after >= 10 * MINUTE && after < 400 * MINUTE, "{after:?}");
    // A clock that jumps back keeps nobody waiting.
    let clock = &server.deployment.clock;
    clock.set(clock.now().minus(1_000 * MINUTE));
    node.say(&ben, &room, "soup").await;
    arrived(&server, &node, &smtp, 5).await;
}

async fn an_address_that_was_taken_away_is_not_written_to(mut server: Server) {
    let smtp = smtp();
    let (node, ada, ben) = couple(&mut server, &smtp, "ada@example.org").await;
    let room = room_of(&node, &ada, &ben, "Kitchen").await;
    node.say(&ben, &room, "soup").await;
    wait_for(&server, 1).await;
    let address = json!({ "medium": "email", "address": "ada@example.org" });
    node.call(&ada, "POST", "account/3pid/delete", address)
        .await;
    eventually("the pusher goes", || async {
        pass(&server, &node).await;
        node.pushers(&ada).await.is_empty().then_some(())
    })
    .await;
    settled(&server, &node).await;
    assert!(smtp.mails().is_empty());
}

async fn the_link_in_a_mail_stops_them(mut server: Server) {
    let smtp = smtp();
    let (node, ada, ben) = couple(&mut server, &smtp, "ada@example.org").await;
    let room = room_of(&node, &ada, &ben, "Kitchen").await;
    node.say(&ben, &room, "soup").await;
    let mails = arrived(&server, &node, &smtp, 1).await;
    let link = header(&mails[0], "List-Unsubscribe").trim_matches(['<', '>']);
    assert!(read(&mails[0]).contains(link), "{link}");
    let (page, token) = link.split_once("?token=").unwrap();
    assert_eq!(page, "https://chat.example.org/_conclave/mail/stop");
    let pushers = &node.parts.pushers;
    assert_eq!(pushers.stop_link(token).await.unwrap(), StopLink::Usable);
    assert_eq!(node.pushers(&ada).await.len(), 1);
    let wrong = pushers.stop_by_link(&token[..token.len() - 1]).await;
    assert_eq!(wrong.unwrap(), StopLink::Unknown);
    assert_eq!(node.pushers(&ada).await.len(), 1);
    settled(&server, &node).await;
    node.say(&ben, &room, "more soup").await;
    wait_for(&server, 1).await;
    let stopped = pushers.stop_by_link(token).await;
    assert_eq!(stopped.unwrap(), StopLink::Usable);
    assert!(node.pushers(&ada).await.is_empty());
    settled(&server, &node).await;
    assert_eq!(smtp.mails().len(), 1);
}

async fn a_mail_server_that_is_away_gets_the_mail_when_it_is_back(mut server: Server) {
    let mut smtp = smtp();
    let (node, ada, ben) = couple(&mut server, &smtp, "ada@example.org").await;
    let room = room_of(&node, &ada, &ben, "Kitchen").await;
    smtp.stop().unwrap();
    node.say(&ben, &room, "soup").await;
    eventually("the mail server is asked", || async {
        pass(&server, &node).await;
        let waiting = outbox(&server).waiting().await.unwrap();
        let failing = waiting.iter().any(|lane| lane.failing == 1);
        failing.then_some(())
    })
    .await;
    smtp.restart().unwrap();
    let mails = arrived(&server, &node, &smtp, 1).await;
    assert!(read(&mails[0]).contains("“Kitchen”: 1 unread message"));
    settled(&server, &node).await;
    assert!(outbox(&server).dead(None, 1).await.unwrap().is_empty());
    assert_eq!(smtp.mails().len(), 1);
}

async fn an_address_that_no_mail_server_takes_is_one_dead_letter(mut server: Server) {
    let smtp = smtp();
    let (node, ada, ben) = couple(&mut server, &smtp, "refused@example.org").await;
    let room = room_of(&node, &ada, &ben, "Kitchen").await;
    for _ in 0..5 {
        node.say(&ben, &room, "soup").await;
    }
    wait_for(&server, 5).await;
    settled(&server, &node).await;
    let dead = outbox(&server).dead(None, 10).await.unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].lane, LANE);
    assert!(dead[0].fault.contains("550"), "{dead:?}");
    assert!(!dead[0].fault.contains("example.org"), "{dead:?}");
    // An administrator has it tried again, and it ends as before.
    assert_eq!(outbox(&server).replay(LANE, None).await.unwrap(), 1);
    eventually("it is dead again", || async {
        pass(&server, &node).await;
        let dead = outbox(&server).dead(None, 10).await.unwrap();
        (dead.len() == 1).then_some(())
    })
    .await;
    assert_eq!(outbox(&server).forget(LANE, None).await.unwrap(), 1);
}

async fn a_name_makes_neither_header_nor_markup_nor_link_in_any_language(mut server: Server) {
    let smtp = smtp();
    let (node, ada, ben) = couple(&mut server, &smtp, "ada@example.org").await;
    let hostile = "<b>x</b>\r\nBcc: eve@example.org\r\n\r\nhttps://evil.example/“”";
    let name = format!("profile/{}/displayname", ben.user_id);
    node.call(&ben, "PUT", &name, json!({ "displayname": hostile }))
        .await;
    let room = room_of(&node, &ada, &ben, hostile).await;
    let den = json!({ "preset": "private_chat", "name": "很长".repeat(40) });
    let den = node.create(&ben, den).await;
    node.on(&ben, "invite", &den, &ada).await;
    node.say(&ben, &room, "soup").await;
    wait_for(&server, 2).await;
    // The client starts again, and speaks another language.
    let chinese = pusher("ada@example.org", "zh-CN");
    node.call(&ada, "POST", "pushers/set", chinese).await;
    let mails = arrived(&server, &node, &smtp, 1).await;
    let (head, _) = mails[0].split_once("\r\n\r\n").unwrap();
    assert!(!head.contains("Bcc") && !head.contains("eve"), "{head}");
    assert!(mails[0].contains("RCPT TO: ada@example.org\r\nAUTH"));
    let said = read(&mails[0]);
    assert!(said.contains("1 条未读消息") && said.contains("邀请您加入"));
    assert!(
        said.contains(&format!("“{}…”", "很长".repeat(32))),
        "{said}"
    );
    assert!(said.contains("&lt;b&gt;x&lt;"), "{said}");
    let (_, html) = said.split_once("<html").unwrap();
    assert!(!html.contains("<b>"), "{html}");
    assert!(!said.contains("\nBcc") && !said.contains("https://evil"));
}

async fn only_an_address_of_ones_own_is_written_to(mut server: Server) {
    let smtp = smtp();
    let (node, ada, ben) = couple(&mut server, &smtp, "ada@example.org").await;
    let path = "/_matrix/client/v3/pushers/set";
    let with = |key: &str, value: &str| {
        let mut pusher = pusher("ben@example.org", "en");
        pusher[key] = value.into();
        pusher.to_string()
    };
    for (bad, part) in [
        (with("pushkey", "ada@example.org"), "pushkey"),
        (with("pushkey", "nobody@example.org"), "pushkey"),
        (with("pushkey", "a@b\r\nBcc: eve@example.org"), "pushkey"),
        (with("app_id", "org.example.app"), "app_id"),
    ] {
        let (status, refused) = node.ask(&ben.token, "POST", path, bad.clone()).await;
        assert_eq!(
            (status.as_u16(), &refused["errcode"]),
            (400, &json!("M_INVALID_PARAM"))
        );
        let sentence = refused["error"].as_str().unwrap();
        assert!(sentence.starts_with(&format!("{part}: ")), "{sentence}");
    }
    assert!(node.pushers(&ben).await.is_empty());
    // However it is written, it is one address and one pusher.
    let written = pusher("ADA@Example.org", "en");
    node.call(&ada, "POST", "pushers/set", written).await;
    let pushers = node.pushers(&ada).await;
    assert_eq!(pushers.len(), 1);
    assert_eq!(pushers[0]["pushkey"], "ada@example.org");
    let gone = json!({ "kind": null, "app_id": "m.email", "pushkey": "Ada@example.org" });
    node.call(&ada, "POST", "pushers/set", gone).await;
    assert!(node.pushers(&ada).await.is_empty());
}

/// Two nodes on one database, which only PostgreSQL permits.
mod two {
    use super::*;

    #[tokio::test]
    async fn one_of_them_sends_the_mail() {
        let mut server = Server::postgres().await;
        let smtp = smtp();
        let (one, ada, ben) = couple(&mut server, &smtp, "ada@example.org").await;
        let two = server.node().await;
        let room = room_of(&one, &ada, &ben, "Kitchen").await;
        for node in [&one, &two, &one, &two] {
            node.say(&ben, &room, "soup").await;
        }
        let mails = arrived(&server, &two, &smtp, 1).await;
        assert!(read(&mails[0]).contains("“Kitchen”: 4 unread messages"));
        settled(&server, &two).await;
        // The other goes on where this one stopped, and tells nothing twice.
        one.parts.log.stop().await;
        let began = server.deployment.clock.now();
        two.say(&ben, &room, "more soup").await;
        let mails = arrived(&server, &two, &smtp, 2).await;
        assert!(written_after(&mails[1], began) >= 10 * MINUTE);
        assert!(read(&mails[1]).contains("“Kitchen”: 5 unread messages"));
    }
}
