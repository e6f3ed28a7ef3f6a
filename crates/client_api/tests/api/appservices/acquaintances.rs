//! Whose keys a service has to know, and whose it needs to know no longer.

use std::time::Duration;

use serde_json::json;
use testkit::eventually;

use super::{
    registered,
    service::{Mood, Service},
};
use crate::{
    server::{Node, Server, User, on_both_engines},
    stage::{count, encoded},
};

on_both_engines! {
    who_shares_no_room_with_a_service_any_more_is_told_as_left_once,
    who_comes_back_to_a_service_is_told_as_changed,
    whom_the_last_user_of_a_service_leaves_behind_is_told_as_left,
    who_is_removed_is_told_as_left,
    who_stays_in_a_room_with_an_alias_of_a_service_is_not_told_as_left,
    who_left_and_came_back_while_a_service_was_away_is_told_as_that_ended,
    a_service_that_wants_no_devices_is_told_of_nobody_who_left,
    two_nodes_tell_once_who_left,
}

const ENCRYPTING: &str = "org.matrix.msc3202: true";

const LISTS: &str = "org.matrix.msc3202.device_lists";

async fn bridged(server: &mut Server, more: &str) -> (Service, Node) {
    let service = Service::open().await;
    server.deployment.appservices = registered(&[&service.registration(more)]);
    let node = server.node().await;
    (service, node)
}

impl Node {
    async fn enter(&self, user: &User, room: &str) {
        let join = format!("join/{}", encoded(room));
        self.call(user, "POST", &join, json!({})).await;
    }

    async fn depart(&self, user: &User, room: &str) {
        let leave = format!("rooms/{}/leave", encoded(room));
        self.call(user, "POST", &leave, json!({})).await;
    }

    /// A user of the bridge.
    async fn new_ghost(&self) -> String {
        self.ghost(&format!("irc_eve{}", count())).await
    }

    /// A user of the bridge comes into a room, or leaves it.
    async fn ghost_goes(&self, ghost: &str, how: &str, room: &str) {
        let path = format!("rooms/{}/{how}", encoded(room));
        self.as_ghost(ghost, "POST", &path, json!({})).await;
    }
}

/// A person, and two rooms of theirs with a user of the bridge in each.
async fn two_rooms(node: &Node) -> (User, [String; 2], String) {
    let ben = node.someone("ben").await;
    let rooms = [node.public(&ben).await, node.public(&ben).await];
    let ghost = node.new_ghost().await;
    for room in &rooms {
        node.ghost_goes(&ghost, "join", room).await;
    }
    (ben, rooms, ghost)
}

impl Service {
    /// What the bridge was told of somebody's devices, in order.
    fn told_of(&self, user: &User) -> Vec<&'static str> {
        let mut told = Vec::new();
        for (_, body) in self.took() {
            for list in ["changed", "left"] {
                let people = body[LISTS][list].as_array();
                if people.is_some_and(|people| people.contains(&json!(user.user_id))) {
                    told.push(list);
                }
            }
        }
        told
    }

    /// Waits until the bridge has everything that was said before.
    async fn has_all(&self, node: &Node, speaker: &User, room: &str) {
        let last = node.say(speaker, room, "last").await;
        self.got(&last).await;
    }
}

async fn who_shares_no_room_with_a_service_any_more_is_told_as_left_once(mut server: Server) {
    let (service, node) = bridged(&mut server, ENCRYPTING).await;
    let (ben, [one, other], _) = two_rooms(&node).await;
    let carl = node.someone("carl").await;
    let elsewhere = node.public(&carl).await;
    node.enter(&carl, &one).await;
    node.enter(&carl, &other).await;
    node.depart(&carl, &one).await;
    service.has_all(&node, &ben, &other).await;
    assert_eq!(service.told_of(&carl), ["changed"], "they share another");
    node.depart(&carl, &other).await;
    node.depart(&carl, &elsewhere).await;
    service.has_all(&node, &ben, &other).await;
    assert_eq!(service.told_of(&carl), ["changed", "left"]);
    assert_eq!(service.told_of(&ben), ["changed"]);
}

async fn who_comes_back_to_a_service_is_told_as_changed(mut server: Server) {
    let (service, node) = bridged(&mut server, ENCRYPTING).await;
    let (ben, [one, other], _) = two_rooms(&node).await;
    let carl = node.someone("carl").await;
    node.enter(&carl, &one).await;
    service.has_all(&node, &ben, &one).await;
    node.depart(&carl, &one).await;
    service.has_all(&node, &ben, &one).await;
    assert_eq!(service.told_of(&carl), ["changed", "left"]);
    node.enter(&carl, &other).await;
    service.has_all(&node, &ben, &one).await;
    node.enter(&carl, &one).await;
    service.has_all(&node, &ben, &one).await;
    assert_eq!(service.told_of(&carl), ["changed", "left", "changed"]);
}

async fn whom_the_last_user_of_a_service_leaves_behind_is_told_as_left(mut server: Server) {
    let (service, node) = bridged(&mut server, ENCRYPTING).await;
    let (ben, [one, other], ghost) = two_rooms(&node).await;
    let carl = node.someone("carl").await;
    node.enter(&carl, &one).await;
    let second = node.new_ghost().await;
    node.ghost_goes(&second, "join", &one).await;
    node.ghost_goes(&ghost, "leave", &one).await;
    service.has_all(&node, &ben, &one).await;
    assert_eq!(service.told_of(&carl), ["changed"], "one is there still");
    node.ghost_goes(&second, "leave", &one).await;
    service.has_all(&node, &ben, &other).await;
    assert_eq!(service.told_of(&carl), ["changed", "left"]);
    assert_eq!(service.told_of(&ben), ["changed"], "they share another");
    node.ghost_goes(&second, "join", &one).await;
    service.has_all(&node, &ben, &other).await;
    assert_eq!(service.told_of(&carl), ["changed", "left", "changed"]);
    assert_eq!(service.told_of(&ben), ["changed"]);
}

async fn who_is_removed_is_told_as_left(mut server: Server) {
    let (service, node) = bridged(&mut server, ENCRYPTING).await;
    let (ben, [one, _], _) = two_rooms(&node).await;
    let carl = node.someone("carl").await;
    node.enter(&carl, &one).await;
    service.has_all(&node, &ben, &one).await;
    for how in ["kick", "ban"] {
        let path = format!("rooms/{}/{how}", encoded(&one));
        let body = json!({ "user_id": carl.user_id });
        node.call(&ben, "POST", &path, body).await;
    }
    service.has_all(&node, &ben, &one).await;
    assert_eq!(service.told_of(&carl), ["changed", "left"]);
}

async fn who_stays_in_a_room_with_an_alias_of_a_service_is_not_told_as_left(mut server: Server) {
    let (service, node) = bridged(&mut server, ENCRYPTING).await;
    let (ben, [one, other], ghost) = two_rooms(&node).await;
    let carl = node.someone("carl").await;
    node.enter(&carl, &one).await;
    let alias = format!("#irc_cats{}:localhost", count());
    let path = format!("directory/room/{}", encoded(&alias));
    let body = json!({ "room_id": one });
    node.as_ghost(&ghost, "PUT", &path, body).await;
    node.ghost_goes(&ghost, "leave", &one).await;
    service.has_all(&node, &ben, &other).await;
    assert_eq!(service.told_of(&carl), ["changed"]);
}

async fn who_left_and_came_back_while_a_service_was_away_is_told_as_that_ended(mut server: Server) {
    let (service, node) = bridged(&mut server, ENCRYPTING).await;
    let (ben, [one, other], _) = two_rooms(&node).await;
    let [carl, dora] = [node.someone("carl").await, node.someone("dora").await];
    for user in [&carl, &dora] {
        node.enter(user, &one).await;
    }
    service.has_all(&node, &ben, &other).await;
    let before = service.took().len();
    service.is(Mood::Says(503));
    node.depart(&carl, &one).await;
    node.enter(&carl, &one).await;
    node.depart(&carl, &one).await;
    node.depart(&dora, &one).await;
    node.enter(&dora, &other).await;
    service.is(Mood::Takes);
    let last = node.say(&ben, &other, "last").await;
    eventually("the bridge gets everything", || async {
        service.lets_pass(&server.deployment.clock, Duration::from_secs(60));
        service.events().contains(&last).then_some(())
    })
    .await;
    let told_of = |user: &User| service.told_of(user).last().copied();
    assert!(service.took().len() > before);
    assert_eq!(told_of(&carl), Some("left"));
    assert_eq!(told_of(&dora), Some("changed"));
}

async fn a_service_that_wants_no_devices_is_told_of_nobody_who_left(mut server: Server) {
    let (service, node) = bridged(&mut server, "receive_ephemeral: true").await;
    let (ben, [one, _], _) = two_rooms(&node).await;
    let carl = node.someone("carl").await;
    node.enter(&carl, &one).await;
    node.depart(&carl, &one).await;
    service.has_all(&node, &ben, &one).await;
    let took = service.took();
    assert!(
        took.iter().all(|(_, body)| body.get(LISTS).is_none()),
        "{took:?}"
    );
}

async fn two_nodes_tell_once_who_left(mut server: Server) {
    let (service, node) = bridged(&mut server, ENCRYPTING).await;
    // SQLite has one node.
    let second = match server.deployment.location {
        store::Location::Sqlite(_) => None,
        store::Location::Postgres(_) => Some(server.node().await),
    };
    let second = second.as_ref().unwrap_or(&node);
    let (ben, [one, other], _) = two_rooms(&node).await;
    let carl = node.someone("carl").await;
    node.enter(&carl, &one).await;
    second.enter(&carl, &other).await;
    service.has_all(second, &ben, &one).await;
    node.depart(&carl, &other).await;
    second.depart(&carl, &one).await;
    service.has_all(&node, &ben, &one).await;
    service.has_all(second, &ben, &other).await;
    assert_eq!(service.told_of(&carl), ["changed", "left"]);
}
