//! Aliases that a service claims.

use serde_json::json;

use super::{AS_TOKEN, acting, bot, bridged};
use crate::{
    server::{Server, on_both_engines},
    stage::{count, encoded},
};

on_both_engines! {
    aliases_that_a_service_has_claimed_for_itself_are_nobody_elses,
    a_service_manages_the_aliases_that_it_claims,
}

fn path(alias: &str) -> String {
    format!("/_matrix/client/v3/directory/room/{}", encoded(alias))
}

async fn aliases_that_a_service_has_claimed_for_itself_are_nobody_elses(server: Server) {
    let server = bridged(server);
    let node = server.node().await;
    let ben = node.someone("ben").await;
    let room = node.public(&ben).await;
    let name = format!("irc_cats{}", count());
    let body = json!({ "room_id": room }).to_string();
    let alias = path(&format!("#{name}:localhost"));
    let refused = node.refused(&ben.token, "PUT", &alias, &body).await;
    assert_eq!(refused, (400, "M_EXCLUSIVE".to_owned()));
    let create = json!({ "room_alias_name": name }).to_string();
    let make = "/_matrix/client/v3/createRoom";
    let refused = node.refused(&ben.token, "POST", make, &create).await;
    assert_eq!(refused, (400, "M_EXCLUSIVE".to_owned()));
    let shared = path(&format!("#shared_cats{}:localhost", count()));
    node.ok(&ben.token, "PUT", &shared, json!({ "room_id": room }))
        .await;
}

async fn a_service_manages_the_aliases_that_it_claims(server: Server) {
    let server = bridged(server);
    let node = server.node().await;
    let name = format!("irc_cats{}", count());
    let create = json!({ "room_alias_name": name, "preset": "public_chat" });
    let room = node.create(&bot(), create).await;
    let outside = json!({ "room_alias_name": format!("cats{}", count()) }).to_string();
    let make = "/_matrix/client/v3/createRoom";
    let refused = node.refused(AS_TOKEN, "POST", make, &outside).await;
    assert_eq!(refused, (400, "M_EXCLUSIVE".to_owned()));
    let other = path(&format!("#cats{}:localhost", count()));
    let body = json!({ "room_id": room }).to_string();
    let refused = node.refused(AS_TOKEN, "PUT", &other, &body).await;
    assert_eq!(refused, (400, "M_EXCLUSIVE".to_owned()));
    // One of its users, who has no power in the room, takes the alias away.
    let ghost = node.ghost(&format!("irc_ada{}", count())).await;
    let rest = format!("directory/room/{}", encoded(&format!("#{name}:localhost")));
    node.ok(AS_TOKEN, "DELETE", &acting(&rest, &ghost), json!(null))
        .await;
    let path = path(&format!("#{name}:localhost"));
    assert_eq!(node.refused("", "GET", &path, "").await.0, 404);
}
