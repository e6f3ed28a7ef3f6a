//! Rate limits, from which services are exempt unless they are registered otherwise.

use serde_json::json;

use super::{AS_TOKEN, acting, bot, bridge, registered};
use crate::{
    server::{Node, Server, on_both_engines},
    stage::count,
};

on_both_engines! {
    a_service_is_not_limited,
    the_users_of_a_service_are_limited_where_it_is_registered_so,
}

/// More than a burst of any class.
const MANY: usize = 320;

/// How many of many requests were refused.
async fn refused_of_many(node: &Node, path: &str) -> usize {
    let mut refused = 0;
    for _ in 0..MANY {
        let (status, _) = node.ask(AS_TOKEN, "GET", path, "").await;
        refused += usize::from(status == 429);
    }
    refused
}

async fn a_service_is_not_limited(mut server: Server) {
    server.deployment.appservices = registered(&[&bridge("")]);
    server.deployment.rate_limits = true;
    let node = server.node().await;
    // Nor is it, by its address, where nobody is asked who they are.
    for _ in 0..30 {
        node.ghost(&format!("irc_many{}", count())).await;
    }
    let ghost = node.ghost(&format!("irc_ada{}", count())).await;
    let path = acting("account/whoami", &ghost);
    assert_eq!(refused_of_many(&node, &path).await, 0);
}

async fn the_users_of_a_service_are_limited_where_it_is_registered_so(mut server: Server) {
    server.deployment.appservices = registered(&[&bridge("rate_limited: true")]);
    server.deployment.rate_limits = true;
    let node = server.node().await;
    let ghost = node.ghost(&format!("irc_ada{}", count())).await;
    let path = acting("account/whoami", &ghost);
    assert!(refused_of_many(&node, &path).await > 0);
    let own = "/_matrix/client/v3/account/whoami";
    assert_eq!(refused_of_many(&node, own).await, 0);
    node.call(&bot(), "POST", "createRoom", json!({})).await;
}
