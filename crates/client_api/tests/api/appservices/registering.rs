//! Making users, and signing in as them.

use serde_json::json;

use super::{AS_TOKEN, bridge, bridged, registered};
use crate::{
    server::{PASSWORD, Server, User, on_both_engines},
    stage::count,
};

on_both_engines! {
    a_service_makes_its_users_with_a_session_or_without,
    a_service_makes_no_users_of_others,
    names_that_a_service_has_claimed_for_itself_are_nobody_elses,
    only_a_service_makes_users_in_this_way,
    a_service_signs_in_as_its_users,
    a_user_of_a_service_has_no_password,
}

const REGISTER: &str = "/_matrix/client/v3/register";
const LOGIN: &str = "/_matrix/client/v3/login";
const KIND: &str = "m.login.application_service";

async fn a_service_makes_its_users_with_a_session_or_without(server: Server) {
    let server = bridged(server);
    let node = server.node().await;
    let name = format!("irc_ada{}", count());
    node.ghost(&name).await;
    let again = json!({ "type": KIND, "username": name, "inhibit_login": true }).to_string();
    let refused = node.refused(AS_TOKEN, "POST", REGISTER, &again).await;
    assert_eq!(refused, (400, "M_USER_IN_USE".to_owned()));
    let name = format!("irc_ben{}", count());
    let body = json!({
        "type": KIND, "username": format!("@{name}:localhost"), "device_id": "BRIDGE",
        "initial_device_display_name": "Bridge",
    });
    let made = node.ok(AS_TOKEN, "POST", REGISTER, body).await;
    assert_eq!(made["user_id"], format!("@{name}:localhost"));
    assert_eq!(made["device_id"], "BRIDGE");
    let ghost = User {
        user_id: made["user_id"].as_str().unwrap().to_owned(),
        token: made["access_token"].as_str().unwrap().to_owned(),
    };
    let own = node.get(&ghost, "account/whoami").await;
    assert_eq!(own["device_id"], "BRIDGE");
    // In a namespace that is not its alone it makes users as well.
    node.ghost(&format!("shared_carl{}", count())).await;
}

async fn a_service_makes_no_users_of_others(mut server: Server) {
    let other = bridge("")
        .replace("id: irc", "id: xmpp")
        .replace("of-the-bridge", "of-another")
        .replace("irc", "xmpp");
    // It claims all names, but those of the other are the other's.
    let greedy = other.replace("'@shared_.*'", "'@.*'");
    server.deployment.appservices = registered(&[&bridge(""), &greedy]);
    let node = server.node().await;
    for (token, name) in [
        (AS_TOKEN, format!("dora{}", count())),
        (AS_TOKEN, format!("xmpp_dora{}", count())),
        ("as-token-of-another", format!("irc_dora{}", count())),
        ("as-token-of-another", "ircbot".to_owned()),
    ] {
        let body = json!({ "type": KIND, "username": name, "inhibit_login": true }).to_string();
        let refused = node.refused(token, "POST", REGISTER, &body).await;
        assert_eq!(refused, (400, "M_EXCLUSIVE".to_owned()), "{name}");
    }
    let body = json!({ "type": KIND, "inhibit_login": true }).to_string();
    let refused = node.refused(AS_TOKEN, "POST", REGISTER, &body).await;
    assert_eq!(refused, (400, "M_MISSING_PARAM".to_owned()));
    let body = json!({ "type": KIND, "username": "irc_Ä", "inhibit_login": true }).to_string();
    let refused = node.refused(AS_TOKEN, "POST", REGISTER, &body).await;
    assert_eq!(refused, (400, "M_INVALID_USERNAME".to_owned()));
}

async fn names_that_a_service_has_claimed_for_itself_are_nobody_elses(mut server: Server) {
    server.deployment.shared_secret = Some("tools");
    let server = bridged(server);
    let node = server.node().await;
    let name = format!("irc_eve{}", count());
    let body = json!({
        "username": name, "password": PASSWORD, "auth": { "type": "m.login.dummy" },
    });
    let refused = node.refused("", "POST", REGISTER, &body.to_string()).await;
    assert_eq!(refused, (400, "M_EXCLUSIVE".to_owned()));
    let path = format!("{REGISTER}/available?username={name}");
    let refused = node.refused("", "GET", &path, "").await;
    assert_eq!(refused, (400, "M_EXCLUSIVE".to_owned()));
    let path = format!("{REGISTER}/available?username=ircbot");
    let refused = node.refused("", "GET", &path, "").await;
    assert_eq!(refused, (400, "M_EXCLUSIVE".to_owned()));
    // What is not its alone is for people too.
    node.join(&format!("shared_eve{}", count())).await;
}

async fn only_a_service_makes_users_in_this_way(server: Server) {
    let server = bridged(server);
    let node = server.node().await;
    let ben = node.someone("ben").await;
    let body = json!({ "type": KIND, "username": "irc_fay", "inhibit_login": true }).to_string();
    let login = json!({ "type": KIND, "identifier": { "type": "m.id.user", "user": "ircbot" } });
    let login = login.to_string();
    let refused = node.refused("", "POST", LOGIN, &login).await;
    assert_eq!(refused, (401, "M_MISSING_TOKEN".to_owned()));
    let refused = node.refused("", "POST", REGISTER, &body).await;
    assert_eq!(refused, (403, "M_FORBIDDEN".to_owned()));
    for (path, body) in [(REGISTER, &body), (LOGIN, &login)] {
        for token in [ben.token.as_str(), "unknown"] {
            let refused = node.refused(token, "POST", path, body).await;
            assert_eq!(refused, (403, "M_FORBIDDEN".to_owned()));
        }
    }
    let other = json!({ "type": "m.login.nonsense", "username": "irc_fay" }).to_string();
    let refused = node.refused(AS_TOKEN, "POST", REGISTER, &other).await;
    assert_eq!(refused, (400, "M_INVALID_PARAM".to_owned()));
}

async fn a_service_signs_in_as_its_users(server: Server) {
    let server = bridged(server);
    let node = server.node().await;
    let flows = node.ok("", "GET", LOGIN, json!(null)).await;
    let flows = flows["flows"].as_array().unwrap();
    assert!(flows.contains(&json!({ "type": KIND })), "{flows:?}");
    let ghost = node.ghost(&format!("irc_ada{}", count())).await;
    for who in [ghost.as_str(), "ircbot"] {
        let body = json!({
            "type": KIND, "identifier": { "type": "m.id.user", "user": who }, "device_id": "A",
        });
        let made = node.ok(AS_TOKEN, "POST", LOGIN, body).await;
        assert!(node.knows(made["access_token"].as_str().unwrap()).await);
    }
    let ben = node.someone("ben").await;
    for (who, expected) in [
        (ben.user_id.as_str(), (400, "M_EXCLUSIVE")),
        ("@irc_ada:example.org", (400, "M_EXCLUSIVE")),
        ("@irc_nobody:localhost", (403, "M_FORBIDDEN")),
    ] {
        let body = json!({ "type": KIND, "identifier": { "type": "m.id.user", "user": who } });
        let body = body.to_string();
        let (status, errcode) = node.refused(AS_TOKEN, "POST", LOGIN, &body).await;
        assert_eq!((status, &*errcode), expected, "{who}");
    }
}

async fn a_user_of_a_service_has_no_password(server: Server) {
    let server = bridged(server);
    let node = server.node().await;
    let ghost = node.ghost(&format!("irc_ada{}", count())).await;
    for password in ["", PASSWORD] {
        let body = json!({
            "type": "m.login.password", "password": password,
            "identifier": { "type": "m.id.user", "user": ghost },
        });
        let refused = node.refused("", "POST", LOGIN, &body.to_string()).await;
        assert_eq!(refused, (403, "M_FORBIDDEN".to_owned()));
    }
}
