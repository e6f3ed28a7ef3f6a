//! Writing and reading a room's timeline, receipts, typing, and syncing all of it.

use serde_json::{Value, json};

use super::walk::Walk;

pub(super) async fn story(walk: &Walk) {
    let tina = walk.join("tina").await;
    let room = walk.room(&tina, json!({})).await;
    let of = |place: &str| format!("rooms/{room}/{place}");
    let first = walk.say(&tina, &room, "one").await;
    let second = walk.say(&tina, &room, "two").await;

    let event = walk.get(&tina, &of(&format!("event/{first}"))).await;
    assert_eq!(event["content"]["body"], "one");
    let page = walk.get(&tina, &of("messages?dir=b&limit=2")).await;
    assert_eq!(ids(&page["chunk"]), [second.as_str(), &first]);
    let around = walk
        .get(&tina, &of(&format!("context/{first}?limit=2")))
        .await;
    assert_eq!(around["event"]["event_id"], first);
    assert_eq!(ids(&around["events_after"]), [second.as_str()]);

    let ts = event["origin_server_ts"].as_u64().unwrap();
    let place = format!("/_matrix/client/v1/rooms/{room}");
    let found = format!("{place}/timestamp_to_event?ts={}&dir=f", ts);
    assert_eq!(walk.get(&tina, &found).await["origin_server_ts"], ts);
    let reply =
        json!({"body": "in it", "m.relates_to": {"rel_type": "m.thread", "event_id": first}});
    let reply = walk
        .put(&tina, &of("send/m.room.message/reply"), reply)
        .await;
    let threads = walk.get(&tina, &format!("{place}/threads")).await;
    assert_eq!(ids(&threads["chunk"]), [first.as_str()]);
    let reply = reply["event_id"].as_str().unwrap();
    for narrowed in ["", "/m.thread", "/m.thread/m.room.message"] {
        let relations = format!("{place}/relations/{first}{narrowed}");
        let page = walk.get(&tina, &relations).await;
        assert_eq!(ids(&page["chunk"]), [reply]);
    }

    let unstable = "/_matrix/client/unstable";
    let followed = format!("{unstable}/io.element.msc4308/thread_subscriptions?dir=b");
    let follow = format!("{unstable}/io.element.msc4306/rooms/{room}/thread/{first}/subscription");
    walk.put(&tina, &follow, json!({"automatic": reply})).await;
    assert_eq!(walk.get(&tina, &follow).await, json!({"automatic": true}));
    let told = walk.get(&tina, &followed).await;
    assert_eq!(told["subscribed"][&room][&first]["automatic"], true);
    walk.delete(&tina, &follow, Value::Null).await;
    walk.gone(&tina, &follow).await;

    let receipt = of(&format!("receipt/m.read/{first}"));
    walk.post(&tina, &receipt, json!({})).await;
    let markers = json!({"m.fully_read": first, "m.read": second});
    walk.post(&tina, &of("read_markers"), markers).await;
    let typing = of(&format!("typing/{}", tina.user_id));
    let body = json!({"typing": true, "timeout": 10_000});
    walk.put(&tina, &typing, body).await;
    let redact = of(&format!("redact/{first}/txn"));
    walk.put(&tina, &redact, json!({"reason": "a mistake"}))
        .await;
    let event = walk.get(&tina, &of(&format!("event/{first}"))).await;
    assert_eq!(event["content"], json!({}));

    let window = json!({"lists": {"all": {"ranges": [[0, 9]], "timeline_limit": 9}}});
    let sliding = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync";
    let answer = walk.post(&tina, sliding, window).await;
    assert!(ids(&answer["rooms"][&room]["timeline"]).contains(&second.as_str()));
    assert_eq!(answer["lists"]["all"]["count"], 1);

    let answer = walk.get(&tina, "sync").await;
    let synced = &answer["rooms"]["join"][&room];
    assert!(ids(&synced["timeline"]["events"]).contains(&second.as_str()));
    let ephemeral = of_type(&synced["ephemeral"]["events"], "m.typing");
    assert_eq!(ephemeral["content"]["user_ids"], json!([tina.user_id]));
    let receipts = of_type(&synced["ephemeral"]["events"], "m.receipt");
    assert!(receipts["content"][&second]["m.read"][&tina.user_id].is_object());
    let read = of_type(&synced["account_data"]["events"], "m.fully_read");
    assert_eq!(read["content"]["event_id"], first);
}

fn ids(events: &Value) -> Vec<&str> {
    let events = events.as_array().unwrap().iter();
    events
        .map(|event| event["event_id"].as_str().unwrap())
        .collect()
}

fn of_type<'a>(events: &'a Value, kind: &str) -> &'a Value {
    let mut events = events.as_array().unwrap().iter();
    events.find(|event| event["type"] == kind).unwrap()
}
