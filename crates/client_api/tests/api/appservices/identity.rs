//! As whom a service acts.

use rooms::EncryptionPolicy;
use serde_json::{Value, json};

use super::{AS_TOKEN, acting, bot, bridge, bridged, registered};
use crate::{
    server::{Server, on_both_engines},
    stage::{count, encoded},
};

on_both_engines! {
    a_service_is_its_own_user_and_acts_as_those_in_its_namespaces,
    whom_a_service_cannot_act_as_is_refused,
    a_service_reads_and_speaks_as_its_users,
    what_an_administrator_left_a_user_is_all_that_its_service_can_do,
    a_service_administers_nothing,
    a_service_sees_who_is_in_the_rooms_of_its_users,
    a_room_that_a_service_makes_is_encrypted_when_the_service_says_so,
    two_nodes_make_the_users_of_services_once,
}

async fn a_service_is_its_own_user_and_acts_as_those_in_its_namespaces(server: Server) {
    let server = bridged(server);
    let node = server.node().await;
    let own = node.get(&bot(), "account/whoami").await;
    assert_eq!(own, json!({ "user_id": "@ircbot:localhost" }));
    let ghost = node.ghost(&format!("irc_ada{}", count())).await;
    let acted = node.as_ghost(&ghost, "GET", "account/whoami", Value::Null);
    assert_eq!(acted.await["user_id"], ghost);
    // Where other clients still put it.
    let path = format!("/_matrix/client/v3/account/whoami?access_token={AS_TOKEN}");
    let told = node.ok("", "GET", &path, Value::Null).await;
    assert_eq!(told["user_id"], "@ircbot:localhost");
    // People are who they are, whatever they say.
    let ben = node.someone("ben").await;
    let path = acting("account/whoami", &ghost);
    let told = node.ok(&ben.token, "GET", &path, Value::Null).await;
    assert_eq!(told["user_id"], ben.user_id);
}

async fn whom_a_service_cannot_act_as_is_refused(server: Server) {
    let server = bridged(server);
    let node = server.node().await;
    let ben = node.someone("ben").await;
    for (user_id, expected) in [
        (ben.user_id.as_str(), (403, "M_FORBIDDEN")),
        ("@irc_nobody:localhost", (403, "M_FORBIDDEN")),
        ("@irc_ada:example.org", (403, "M_FORBIDDEN")),
        ("@notices:localhost", (403, "M_FORBIDDEN")),
        ("ircbot", (400, "M_INVALID_PARAM")),
        ("", (400, "M_INVALID_PARAM")),
    ] {
        let path = acting("account/whoami", user_id);
        let (status, errcode) = node.refused(AS_TOKEN, "GET", &path, "").await;
        assert_eq!((status, &*errcode), expected, "{user_id}");
    }
    let path = "/_matrix/client/v3/account/whoami";
    for wrong in [
        "as-token-of-the-bridg",
        "as-token-of-the-bridge2",
        "hs-token-of-the-bridge",
    ] {
        let refused = node.refused(wrong, "GET", path, "").await;
        assert_eq!(refused, (401, "M_UNKNOWN_TOKEN".to_owned()), "{wrong}");
    }
    let twice = format!("{path}?user_id=@ircbot:localhost&user_id=@ircbot:localhost");
    let refused = node.refused(AS_TOKEN, "GET", &twice, "").await;
    assert_eq!(refused, (400, "M_INVALID_PARAM".to_owned()));
    let ghost = node.ghost(&format!("irc_gone{}", count())).await;
    node.as_ghost(&ghost, "POST", "account/deactivate", json!({}))
        .await;
    let path = acting("account/whoami", &ghost);
    let refused = node.refused(AS_TOKEN, "GET", &path, "").await;
    assert_eq!(refused, (403, "M_USER_DEACTIVATED".to_owned()));
}

async fn a_service_reads_and_speaks_as_its_users(server: Server) {
    let server = bridged(server);
    let node = server.node().await;
    let ben = node.someone("ben").await;
    let room = node.public(&ben).await;
    let ghost = node.ghost(&format!("irc_ada{}", count())).await;
    let name = format!("profile/{ghost}/displayname");
    node.as_ghost(&ghost, "PUT", &name, json!({ "displayname": "Ada (IRC)" }))
        .await;
    let join = format!("join/{}", encoded(&room));
    node.as_ghost(&ghost, "POST", &join, json!({})).await;
    let send = format!("rooms/{room}/send/m.room.message/t{}", count());
    let content = json!({ "msgtype": "m.text", "body": "hello from the past" });
    let sent = node.as_ghost(&ghost, "PUT", &send, content).await;
    let event = format!("rooms/{room}/event/{}", sent["event_id"].as_str().unwrap());
    let read = node.get(&ben, &event).await;
    assert_eq!(read["sender"], ghost);
    let members = node
        .get(&ben, &format!("rooms/{room}/joined_members"))
        .await;
    assert_eq!(members["joined"][&ghost]["display_name"], "Ada (IRC)");
    // The bridge itself is not in the room.
    let path = format!("/_matrix/client/v3/{event}");
    let refused = node.refused(AS_TOKEN, "GET", &path, "").await;
    assert_eq!(refused.0, 404, "{}", refused.1);
}

async fn what_an_administrator_left_a_user_is_all_that_its_service_can_do(server: Server) {
    let server = bridged(server);
    let node = server.node().await;
    let ben = node.someone("ben").await;
    let room = node.public(&ben).await;
    let ghost = node.ghost(&format!("irc_ada{}", count())).await;
    let join = acting(&format!("join/{}", encoded(&room)), &ghost);
    let boss = node.someone("boss").await;
    let user_id = boss.user_id.as_str().try_into().unwrap();
    let by = accounts::By::command_line();
    node.parts
        .accounts
        .set_admin(user_id, true, by)
        .await
        .unwrap();
    let suspend = format!("/_matrix/client/v1/admin/suspend/{ghost}");
    node.ok(&boss.token, "PUT", &suspend, json!({ "suspended": true }))
        .await;
    let refused = node.refused(AS_TOKEN, "POST", &join, "{}").await;
    assert_eq!(refused, (403, "M_USER_SUSPENDED".to_owned()));
    let lock = format!("/_matrix/client/v1/admin/lock/{ghost}");
    node.ok(&boss.token, "PUT", &lock, json!({ "locked": true }))
        .await;
    let refused = node.refused(AS_TOKEN, "POST", &join, "{}").await;
    assert_eq!(refused, (401, "M_USER_LOCKED".to_owned()));
    node.ok(&boss.token, "PUT", &lock, json!({ "locked": false }))
        .await;
    node.ok(&boss.token, "PUT", &suspend, json!({ "suspended": false }))
        .await;
    node.ok(AS_TOKEN, "POST", &join, json!({})).await;
}

async fn a_service_administers_nothing(mut server: Server) {
    let greedy = bridge("").replace("'@shared_.*'", "'@.*'");
    server.deployment.appservices = registered(&[&greedy]);
    let node = server.node().await;
    let boss = node.someone("boss").await;
    let user_id = boss.user_id.as_str().try_into().unwrap();
    let by = accounts::By::command_line();
    node.parts
        .accounts
        .set_admin(user_id, true, by)
        .await
        .unwrap();
    let ben = node.someone("ben").await;
    let path = |who: &str| {
        let path = format!("/_matrix/client/v1/admin/suspend/{}", ben.user_id);
        format!("{path}?user_id={who}")
    };
    let refused = node
        .refused(AS_TOKEN, "GET", &path(&boss.user_id), "")
        .await;
    assert_eq!(refused, (403, "M_FORBIDDEN".to_owned()));
    // What the owner alone may do needs what the owner alone knows.
    let change = json!({ "new_password": "taken over", "logout_devices": false }).to_string();
    let path = acting("account/password", &boss.user_id);
    let refused = node.refused(AS_TOKEN, "POST", &path, &change).await;
    assert_eq!(refused, (403, "M_FORBIDDEN".to_owned()));
    let path = acting("account/deactivate", &boss.user_id);
    let refused = node.refused(AS_TOKEN, "POST", &path, "{}").await;
    assert_eq!(refused, (403, "M_FORBIDDEN".to_owned()));
}

async fn two_nodes_make_the_users_of_services_once(server: Server) {
    let server = bridged(server);
    let (first, second) = tokio::join!(server.node(), server.node());
    for node in [first, second] {
        let own = node.get(&bot(), "account/whoami").await;
        assert_eq!(own["user_id"], "@ircbot:localhost");
    }
}

async fn a_service_sees_who_is_in_the_rooms_of_its_users(server: Server) {
    let server = bridged(server);
    let node = server.node().await;
    let ben = node.someone("ben").await;
    let room = node.public(&ben).await;
    let path = format!("/_matrix/client/v3/rooms/{room}/joined_members");
    let refused = node.refused(AS_TOKEN, "GET", &path, "").await;
    assert_eq!(refused, (403, "M_FORBIDDEN".to_owned()));
    let ghost = node.ghost(&format!("irc_ada{}", count())).await;
    let join = format!("join/{}", encoded(&room));
    node.as_ghost(&ghost, "POST", &join, json!({})).await;
    let told = node.ok(AS_TOKEN, "GET", &path, Value::Null).await;
    assert!(told["joined"][&ben.user_id].is_object(), "{told}");
}

async fn a_room_that_a_service_makes_is_encrypted_when_the_service_says_so(mut server: Server) {
    server.deployment.encryption = EncryptionPolicy::Private;
    let server = bridged(server);
    let node = server.node().await;
    let encryption = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    let says_so = json!({
        "initial_state": [{ "type": "m.room.encryption", "content": encryption }],
    });
    for (body, is_encrypted) in [(json!({}), false), (says_so, true)] {
        let room = node.create(&bot(), body).await;
        let path = format!("/_matrix/client/v3/rooms/{room}/state/m.room.encryption");
        let (status, _) = node.ask(AS_TOKEN, "GET", &path, "").await;
        assert_eq!(status == 200, is_encrypted);
    }
}
