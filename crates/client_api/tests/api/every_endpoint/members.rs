//! Every way in and out of a room.

use serde_json::{Value, json};

use super::walk::Walk;
use crate::server::User;

pub(super) async fn story(walk: &Walk) {
    let mona = walk.join("mona").await;
    let ned = walk.join("ned").await;
    let room = walk.room(&mona, json!({"preset": "private_chat"})).await;
    let of = |place: &str| format!("rooms/{room}/{place}");
    let whom = json!({"user_id": ned.user_id});

    walk.post(&mona, &of("invite"), whom.clone()).await;
    assert_eq!(membership(walk, &mona, &room, &ned).await, "invite");
    let joined = walk.post(&ned, &of("join"), json!({})).await;
    assert_eq!(joined, json!({"room_id": room}));
    let members = walk.get(&ned, &of("joined_members")).await;
    assert_eq!(members["joined"].as_object().unwrap().len(), 2);
    walk.post(&ned, &of("leave"), json!({})).await;
    assert_eq!(membership(walk, &mona, &room, &ned).await, "leave");

    walk.post(&mona, &of("invite"), whom.clone()).await;
    walk.post(&ned, &format!("join/{room}"), json!({})).await;
    assert_eq!(membership(walk, &mona, &room, &ned).await, "join");
    walk.post(&mona, &of("kick"), whom.clone()).await;
    assert_eq!(membership(walk, &mona, &room, &ned).await, "leave");
    walk.post(&mona, &of("ban"), whom.clone()).await;
    assert_eq!(membership(walk, &mona, &room, &ned).await, "ban");
    walk.post(&mona, &of("unban"), whom.clone()).await;
    assert_eq!(membership(walk, &mona, &room, &ned).await, "leave");

    let rule = json!({"join_rule": "knock"});
    walk.put(&mona, &of("state/m.room.join_rules"), rule).await;
    walk.post(&ned, &format!("knock/{room}"), json!({})).await;
    assert_eq!(membership(walk, &mona, &room, &ned).await, "knock");
    walk.post(&ned, &of("leave"), json!({})).await;
    let left = async || {
        let filter = "sync?filter=%7B%22room%22:%7B%22include_leave%22:true%7D%7D";
        let answer = walk.get(&ned, filter).await;
        answer["rooms"]["leave"].get(&room).is_some()
    };
    assert!(left().await);
    walk.post(&ned, &of("forget"), json!({})).await;
    assert!(!left().await);
}

async fn membership(walk: &Walk, reader: &User, room: &str, of: &User) -> String {
    let members = walk.get(reader, &format!("rooms/{room}/members")).await;
    let mut events = members["chunk"].as_array().unwrap().iter();
    let event = events.find(|event: &&Value| event["state_key"] == of.user_id);
    let membership = &event.unwrap()["content"]["membership"];
    membership.as_str().unwrap().to_owned()
}
