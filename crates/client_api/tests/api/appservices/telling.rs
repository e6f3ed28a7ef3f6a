//! What a service is told, in order and at least once.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::eventually;

use super::{
    bot, registered,
    service::{Mood, Service},
};
use crate::{
    server::{Node, Server, User, on_both_engines},
    stage::{Room, count, encoded},
};

on_both_engines! {
    a_service_is_told_of_its_users_and_of_the_rooms_that_they_are_in,
    a_service_is_told_of_rooms_with_its_aliases_and_ids,
    a_service_is_told_nothing_that_does_not_concern_it,
    a_service_without_an_address_is_told_nothing,
    events_have_the_form_of_clients,
    what_was_redacted_meanwhile_is_not_told,
    a_service_that_was_away_gets_everything_in_order_and_once,
    what_is_sent_again_has_the_same_name_and_tells_the_same,
    a_transaction_has_at_most_a_hundred_events,
    one_service_that_is_away_holds_up_no_other,
    what_waits_for_a_service_that_is_gone_is_dropped,
    a_node_that_starts_again_goes_on_where_it_stood,
    two_nodes_tell_everything_once,
}

/// A bridge that is here, a server that knows it, and a node.
async fn bridged(server: &mut Server) -> (Service, Node) {
    let service = Service::open().await;
    server.deployment.appservices = registered(&[&service.registration("")]);
    let node = server.node().await;
    (service, node)
}

impl Node {
    /// One of the bridge's users, in a room.
    async fn ghost_in(&self, room: &str) -> String {
        let ghost = self.ghost(&format!("irc_ada{}", count())).await;
        let join = format!("join/{}", encoded(room));
        self.as_ghost(&ghost, "POST", &join, json!({})).await;
        ghost
    }
}

/// A person, and a room of theirs with one of the bridge's users in it.
async fn room_of(node: &Node) -> (User, Room, String) {
    let ben = node.someone("ben").await;
    let room = node.public(&ben).await;
    let ghost = node.ghost_in(&room).await;
    (ben, room, ghost)
}

async fn a_service_is_told_of_its_users_and_of_the_rooms_that_they_are_in(mut server: Server) {
    let (service, node) = bridged(&mut server).await;
    let ben = node.someone("ben").await;
    let room = node.public(&ben).await;
    let before = node.say(&ben, &room, "nobody of yours is here").await;
    let ghost = node.ghost(&format!("irc_ada{}", count())).await;
    let invited = User {
        user_id: ghost.clone(),
        token: String::new(),
    };
    node.on(&ben, "invite", &room, &invited).await;
    let between = node.say(&ben, &room, "nor now").await;
    let join = format!("join/{}", encoded(&room));
    node.as_ghost(&ghost, "POST", &join, json!({})).await;
    let inside = node.say(&ben, &room, "hello").await;
    node.on(&ben, "kick", &room, &invited).await;
    let after = node.say(&ben, &room, "gone").await;
    let again = node.public(&ben).await;
    let own = node.ghost_in(&again).await;
    let last = node.say(&ben, &again, "last").await;
    service.got(&last).await;
    let members: Vec<(String, String)> = service
        .told("events")
        .iter()
        .filter(|event| event["state_key"] == ghost.as_str())
        .map(|event| {
            let membership = event["content"]["membership"].as_str().unwrap();
            (
                event["sender"].as_str().unwrap().to_owned(),
                membership.to_owned(),
            )
        })
        .collect();
    let by = |who: &str, what: &str| (who.to_owned(), what.to_owned());
    let (her, him) = (ghost.as_str(), ben.user_id.as_str());
    assert_eq!(
        members,
        [by(him, "invite"), by(her, "join"), by(him, "leave")]
    );
    let told = service.events();
    assert!(told.contains(&inside));
    for event in [before, between, after] {
        assert!(!told.contains(&event), "{event}");
    }
    assert_ne!(own, ghost);
}

async fn a_service_is_told_of_rooms_with_its_aliases_and_ids(mut server: Server) {
    let service = Service::open().await;
    let node = server.node().await;
    let ben = node.someone("ben").await;
    let by_id = node.public(&ben).await;
    let by_alias = node.public(&ben).await;
    node.parts.log.stop().await;
    let rooms = format!("  rooms:\n  - {{ exclusive: false, regex: '{by_id}' }}\n");
    server.deployment.appservices = registered(&[&service.registration(&rooms)]);
    let node = server.node().await;
    let first = node.say(&ben, &by_id, "by its id").await;
    service.got(&first).await;
    let unknown = node.say(&ben, &by_alias, "not yet").await;
    // Whose aliases a room has is asked when it is looked at what was said there.
    let later = node.say(&ben, &by_id, "looked at").await;
    service.got(&later).await;
    let alias = format!(
        "directory/room/{}",
        encoded(&format!("#shared_cats{}:localhost", count()))
    );
    node.call(&ben, "PUT", &alias, json!({ "room_id": by_alias }))
        .await;
    let second = node.say(&ben, &by_alias, "by its alias").await;
    service.got(&second).await;
    node.call(&ben, "DELETE", &alias, Value::Null).await;
    let lost = node.say(&ben, &by_alias, "no longer").await;
    let last = node.say(&ben, &by_id, "last").await;
    service.got(&last).await;
    let told = service.events();
    assert!(
        !told.contains(&unknown) && !told.contains(&lost),
        "{told:?}"
    );
}

async fn a_service_is_told_nothing_that_does_not_concern_it(mut server: Server) {
    let (service, node) = bridged(&mut server).await;
    let ben = node.someone("ben").await;
    let room = node.public(&ben).await;
    node.say(&ben, &room, "among ourselves").await;
    let made = node.create(&bot(), json!({})).await;
    let last = node.say(&bot(), &made, "last").await;
    service.got(&last).await;
    let rooms = service.told("events");
    assert!(rooms.iter().all(|event| event["room_id"] == made.as_str()));
    // Of its own room it hears everything, from the beginning.
    assert_eq!(rooms[0]["type"], "m.room.create");
}

async fn a_service_without_an_address_is_told_nothing(mut server: Server) {
    let service = Service::open().await;
    let silent = super::bridge("")
        .replace("id: irc", "id: silent")
        .replace("of-the-bridge", "of-another")
        .replace("irc", "silent");
    server.deployment.appservices = registered(&[&service.registration(""), &silent]);
    let node = server.node().await;
    let (ben, room, _) = room_of(&node).await;
    let event = node.say(&ben, &room, "hello").await;
    service.got(&event).await;
    let outbox = server.deployment.outbox.lock().clone().unwrap();
    eventually("nothing waits", || async {
        let waiting = outbox.waiting().await.unwrap();
        waiting.is_empty().then_some(())
    })
    .await;
}

async fn events_have_the_form_of_clients(mut server: Server) {
    let (service, node) = bridged(&mut server).await;
    let (ben, room, _) = room_of(&node).await;
    let topic = |text: &str| json!({ "topic": text });
    let slot = ("m.room.topic", "");
    let first = node.set(&ben, &room, slot, topic("one")).await;
    let second = node.set(&ben, &room, slot, topic("two")).await;
    let told = service.got(&second).await;
    let age = told["unsigned"]["age"].as_i64().unwrap();
    let expected = json!({
        "content": { "topic": "two" },
        "event_id": second,
        "origin_server_ts": told["origin_server_ts"],
        "room_id": room,
        "sender": ben.user_id,
        "state_key": "",
        "type": "m.room.topic",
        "unsigned": {
            "age": age, "prev_content": { "topic": "one" }, "replaces_state": first,
        },
    });
    assert_eq!(told, expected);
}

async fn what_was_redacted_meanwhile_is_not_told(mut server: Server) {
    let (service, node) = bridged(&mut server).await;
    let (ben, room, _) = room_of(&node).await;
    service.is(Mood::Says(503));
    let secret = node.say(&ben, &room, "a secret").await;
    let redaction = node.redact(&ben, &room, &secret).await;
    service.is(Mood::Takes);
    eventually("the bridge is told of the redaction", || async {
        service.lets_pass(&server.deployment.clock, Duration::from_secs(60));
        service.events().contains(&redaction).then_some(())
    })
    .await;
    let told = service.got(&secret).await;
    assert_eq!(told["content"], json!({}));
    let because = &told["unsigned"]["redacted_because"];
    assert_eq!(because["event_id"], redaction.as_str());
}

async fn a_service_that_was_away_gets_everything_in_order_and_once(mut server: Server) {
    let (service, node) = bridged(&mut server).await;
    let (ben, room, _) = room_of(&node).await;
    let before = node.say(&ben, &room, "before").await;
    service.got(&before).await;
    service.is(Mood::Says(502));
    let mut said = Vec::new();
    for index in 0..250 {
        said.push(node.say(&ben, &room, &format!("{index}")).await);
    }
    // For days.
    let day = Duration::from_secs(24 * 3_600);
    service.tries(&server.deployment.clock, 3, day).await;
    assert!(!service.events().contains(&said[0]));
    service.is(Mood::Takes);
    eventually("the bridge gets everything", || async {
        service.lets_pass(&server.deployment.clock, Duration::from_secs(3_600));
        service
            .events()
            .contains(said.last().unwrap())
            .then_some(())
    })
    .await;
    let told = service.events();
    let since = told.iter().position(|event| *event == said[0]).unwrap();
    assert_eq!(told[since..], said);
}

async fn what_is_sent_again_has_the_same_name_and_tells_the_same(mut server: Server) {
    let (service, node) = bridged(&mut server).await;
    let (ben, room, _) = room_of(&node).await;
    let before = node.say(&ben, &room, "before").await;
    service.got(&before).await;
    // It takes what it gets, and the answer is lost.
    service.is(Mood::TakesAndSays(500));
    let first = node.say(&ben, &room, "first").await;
    service.got(&first).await;
    let second = node.say(&ben, &room, "second").await;
    let came = service.came();
    let (name, body) = came.last().unwrap();
    eventually("it is sent again", || async {
        service.lets_pass(&server.deployment.clock, Duration::from_secs(60));
        (service.came().len() > came.len() + 1).then_some(())
    })
    .await;
    for (again, told) in &service.came()[came.len()..] {
        assert_eq!(again, name);
        let ids = |body: &Value| -> Vec<Value> {
            let events = body["events"].as_array().unwrap().iter();
            events.map(|event| event["event_id"].clone()).collect()
        };
        assert_eq!(ids(told), ids(body));
    }
    service.is(Mood::Takes);
    eventually("the rest follows", || async {
        service.lets_pass(&server.deployment.clock, Duration::from_secs(60));
        service.events().contains(&second).then_some(())
    })
    .await;
    let told = service.events();
    for event in [first, second] {
        assert_eq!(told.iter().filter(|told| **told == event).count(), 1);
    }
}

async fn a_transaction_has_at_most_a_hundred_events(mut server: Server) {
    let (service, node) = bridged(&mut server).await;
    let (ben, room, _) = room_of(&node).await;
    let before = node.say(&ben, &room, "before").await;
    service.got(&before).await;
    service.is(Mood::Says(503));
    let mut last = String::new();
    for index in 0..230 {
        last = node.say(&ben, &room, &format!("{index}")).await;
    }
    service.is(Mood::Takes);
    eventually("the bridge gets everything", || async {
        service.lets_pass(&server.deployment.clock, Duration::from_secs(900));
        service.events().contains(&last).then_some(())
    })
    .await;
    for (_, body) in service.took() {
        assert!(body["events"].as_array().unwrap().len() <= 100);
    }
    assert!(
        service
            .took()
            .iter()
            .any(|(_, body)| body["events"].as_array().unwrap().len() == 100)
    );
}

async fn one_service_that_is_away_holds_up_no_other(mut server: Server) {
    let (here, away) = (Service::open().await, Service::open().await);
    away.is(Mood::Says(503));
    let other = away
        .registration("")
        .replace("id: irc", "id: xmpp")
        .replace("of-the-bridge", "of-another")
        .replace("irc", "xmpp");
    server.deployment.appservices = registered(&[&other, &here.registration("")]);
    let node = server.node().await;
    let ben = node.someone("ben").await;
    let room = node.public(&ben).await;
    node.ghost_in(&room).await;
    let body = json!({
        "type": "m.login.application_service", "username": format!("xmpp_eve{}", count()),
        "inhibit_login": true,
    });
    let path = "/_matrix/client/v3/register";
    let eve = node.ok("as-token-of-another", "POST", path, body).await;
    let eve = eve["user_id"].as_str().unwrap();
    let join = super::acting(&format!("join/{}", encoded(&room)), eve);
    node.ok("as-token-of-another", "POST", &join, json!({}))
        .await;
    for index in 0..5 {
        let event = node.say(&ben, &room, &format!("{index}")).await;
        here.got(&event).await;
    }
    assert!(away.took().is_empty());
}

async fn what_waits_for_a_service_that_is_gone_is_dropped(mut server: Server) {
    let (service, node) = bridged(&mut server).await;
    let (ben, room, _) = room_of(&node).await;
    service.is(Mood::Says(503));
    node.say(&ben, &room, "for nobody").await;
    node.parts.log.stop().await;
    let running = std::mem::take(&mut *server.deployment.bridging.lock());
    running.iter().for_each(tokio::task::JoinHandle::abort);
    server.deployment.appservices = registered(&[]);
    let _node = server.node().await;
    let outbox = server.deployment.outbox.lock().clone().unwrap();
    eventually("nothing waits", || async {
        service.lets_pass(&server.deployment.clock, Duration::from_secs(60));
        let waiting = outbox.waiting().await.unwrap();
        waiting.is_empty().then_some(())
    })
    .await;
}

async fn a_node_that_starts_again_goes_on_where_it_stood(mut server: Server) {
    let (service, node) = bridged(&mut server).await;
    let (ben, room, _) = room_of(&node).await;
    service.is(Mood::Says(503));
    let first = node.say(&ben, &room, "first").await;
    node.parts.log.stop().await;
    let running = std::mem::take(&mut *server.deployment.bridging.lock());
    running.iter().for_each(tokio::task::JoinHandle::abort);
    service.is(Mood::Takes);
    let node = server.node().await;
    let second = node.say(&ben, &room, "second").await;
    eventually("the bridge gets both", || async {
        service.lets_pass(&server.deployment.clock, Duration::from_secs(60));
        service.events().contains(&second).then_some(())
    })
    .await;
    let told = service.events();
    let since = told.iter().position(|event| *event == first).unwrap();
    assert_eq!(told[since..], [first, second]);
}

async fn two_nodes_tell_everything_once(mut server: Server) {
    let (service, node) = bridged(&mut server).await;
    // SQLite has one node.
    let other = match server.deployment.location {
        store::Location::Sqlite(_) => None,
        store::Location::Postgres(_) => Some(server.node().await),
    };
    let (ben, room, _) = room_of(&node).await;
    let mut said = Vec::new();
    for index in 0..20 {
        let speaker = match &other {
            Some(other) if index % 2 == 0 => other,
            _ => &node,
        };
        said.push(speaker.say(&ben, &room, &format!("{index}")).await);
    }
    service.got(said.last().unwrap()).await;
    let told = service.events();
    let since = told.iter().position(|event| *event == said[0]).unwrap();
    assert_eq!(told[since..], said);
}
