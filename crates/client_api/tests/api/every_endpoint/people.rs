//! People: finding and reporting them, who they are to others, and what administrators may do.

use accounts::By;
use ruma::UserId;
use serde_json::{Value, json};

use super::walk::Walk;
use crate::{people::contacts::turn_servers, server::User};

pub(super) async fn story(walk: &Walk) {
    let olga = walk.join("olga").await;
    let pete = walk.join("pete").await;
    let room = walk.room(&olga, json!({"preset": "public_chat"})).await;
    walk.post(&pete, &format!("join/{room}"), json!({})).await;

    let search = json!({"search_term": walk.name("pete")});
    let found = walk.post(&olga, "user_directory/search", search).await;
    let expected = json!({"results": [{"user_id": pete.user_id}], "limited": false});
    assert_eq!(found, expected);
    let with_pete = format!("?user_id={}", pete.user_id);
    let mutual = format!("/_matrix/client/v1/mutual_rooms{with_pete}");
    let mutual = walk.get(&olga, &mutual).await;
    assert_eq!(mutual, json!({"count": 1, "joined": [room]}));
    let before = "/_matrix/client/unstable/uk.half-shot.msc2666/user/mutual_rooms";
    let mutual = walk.get(&olga, &format!("{before}{with_pete}")).await;
    assert_eq!(mutual, json!({"joined": [room]}));

    reporting(walk, &olga, &pete, &room).await;
    let own = format!("user/{}/openid/request_token", pete.user_id);
    let token = walk.post(&pete, &own, json!({})).await;
    let token = token["access_token"].as_str().unwrap();
    let path = format!("/_matrix/federation/v1/openid/userinfo?access_token={token}");
    let who = walk.ok("", "GET", &path, Value::Null).await;
    assert_eq!(who, json!({"sub": pete.user_id}));
    let turn = walk.get(&pete, "voip/turnServer").await;
    assert_eq!(turn["uris"], json!(turn_servers().uris));
    let transports = "/_matrix/client/unstable/org.matrix.msc4143/rtc/transports";
    let transports = walk.get(&pete, transports).await;
    assert_eq!(transports["rtc_transports"], json!([]));
    administering(walk, &olga, &pete).await;
}

async fn reporting(walk: &Walk, olga: &User, pete: &User, room: &str) {
    let said = walk.say(pete, room, "unkind").await;
    let reason = json!({"reason": "unkind"});
    let unstable = "/_matrix/client/unstable/org.matrix";
    for path in [
        format!("rooms/{room}/report"),
        format!("{unstable}.msc4151/rooms/{room}/report"),
        format!("rooms/{room}/report/{said}"),
        format!("users/{}/report", pete.user_id),
        format!("{unstable}.msc4260/users/{}/report", pete.user_id),
    ] {
        assert_eq!(walk.post(olga, &path, reason.clone()).await, json!({}));
    }
    let reports = walk.node.parts.reports.list(0, 500).await.unwrap();
    let own = reports
        .iter()
        .filter(|report| report.reporter == olga.user_id);
    assert_eq!(own.count(), 5);
}

async fn administering(walk: &Walk, olga: &User, pete: &User) {
    let id = <&UserId>::try_from(olga.user_id.as_str()).unwrap();
    let accounts = &walk.node.parts.accounts;
    accounts
        .set_admin(id, true, By::command_line())
        .await
        .unwrap();
    let whois = walk
        .get(olga, &format!("admin/whois/{}", pete.user_id))
        .await;
    let connection = &whois["devices"]["PHONE"]["sessions"][0]["connections"][0];
    assert_eq!(connection["ip"], "192.0.2.1");
    for (act, done) in [("suspend", "suspended"), ("lock", "locked")] {
        for base in ["v1", "unstable/uk.timedout.msc4323"] {
            let path = format!("/_matrix/client/{base}/admin/{act}/{}", pete.user_id);
            for holds in [true, false] {
                let answer = walk.put(olga, &path, json!({ done: holds })).await;
                assert_eq!(answer, json!({ done: holds }));
                assert_eq!(walk.get(olga, &path).await, json!({ done: holds }));
            }
        }
    }
}
