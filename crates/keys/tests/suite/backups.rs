//! Key backups: versions, conflicts, etags.

use keys::{BackupError, BackupState, RoomKeys, RoomKeysSelection};
use ruma::{OwnedRoomId, api::client::backup::BackupAlgorithm, serde::Raw};
use serde_json::{Value, json};
use store::LocalWrite;

use crate::{
    bench::Node,
    conformance,
    people::{person, raw, value},
};

fn algorithm(key: &str) -> Raw<BackupAlgorithm> {
    raw(&json!({
        "algorithm": "m.megolm_backup.v1.curve25519-aes-sha2",
        "auth_data": { "public_key": key, "signatures": {}, "extra": 1 },
    }))
}

fn room(number: usize) -> OwnedRoomId {
    OwnedRoomId::try_from(format!("!room{number}:example.org")).unwrap()
}

fn key(index: u32, forwarded: u32, verified: bool, data: &str) -> Value {
    json!({
        "first_message_index": index, "forwarded_count": forwarded, "is_verified": verified,
        "session_data": { "ephemeral": "ZQ", "ciphertext": data, "mac": "bQ", "x": null },
    })
}

fn keys(sessions: &[(usize, &str, Value)]) -> RoomKeys {
    let mut keys = RoomKeys::new();
    for (number, session, json) in sessions {
        let of_room = keys.entry(room(*number)).or_default();
        of_room.insert((*session).to_owned(), raw(json));
    }
    keys
}

fn all() -> RoomKeysSelection {
    RoomKeysSelection::All
}

async fn put(
    node: &Node,
    version: &str,
    sessions: &[(usize, &str, Value)],
) -> Result<BackupState, BackupError> {
    node.keys
        .put_room_keys(&person(1).id, version, &keys(sessions))
        .await
}

conformance! {
    /// Versions count up, the newest that is not deleted is current, numbers never come back.
    async fn versions_come_and_go(bench: Bench) {
        let (node, alice) = (&bench.node, person(1).id);
        let info = node.keys.backup_info(&alice, None).await;
        assert!(matches!(info, Err(BackupError::NoSuchVersion)));
        for expected in ["1", "2", "3"] {
            let version = node.keys.create_backup(&alice, &algorithm("YWJj"), |_| {}).await.unwrap();
            assert_eq!(version, expected);
        }
        node.keys.delete_backup(&alice, "3", |_| {}).await.unwrap();
        node.keys.delete_backup(&alice, "3", |_| {}).await.unwrap();
        let info = node.keys.backup_info(&alice, None).await.unwrap();
        assert_eq!(info.version, "2");
        assert_eq!(info.algorithm, "m.megolm_backup.v1.curve25519-aes-sha2");
        let auth_data: Value = serde_json::from_str(info.auth_data.get()).unwrap();
        assert_eq!(auth_data, json!({ "public_key": "YWJj", "signatures": {}, "extra": 1 }));
        assert_eq!(info.state, BackupState { count: 0, etag: "0".to_owned() });
        assert!(matches!(
            node.keys.backup_info(&alice, Some("3")).await,
            Err(BackupError::NoSuchVersion)
        ));
        assert_eq!(node.keys.create_backup(&alice, &algorithm("YWJj"), |_| {}).await.unwrap(), "4");
        for unknown in ["9", "", "01", "x", "-1", "99999999999999999999"] {
            let info = node.keys.backup_info(&alice, Some(unknown)).await;
            assert!(matches!(info, Err(BackupError::NoSuchVersion)), "{unknown}");
            let deleted = node.keys.delete_backup(&alice, unknown, |_| {}).await;
            assert!(matches!(deleted, Err(BackupError::NoSuchVersion)), "{unknown}");
        }
    }

    /// The authentication data of a version may change, its algorithm and number may not.
    async fn only_authentication_data_is_updated(bench: Bench) {
        let (node, alice) = (&bench.node, person(1).id);
        node.keys.create_backup(&alice, &algorithm("YWJj"), |_| {}).await.unwrap();
        node.keys.update_backup(&alice, "1", &algorithm("ZGVm")).await.unwrap();
        let info = node.keys.backup_info(&alice, Some("1")).await.unwrap();
        assert!(info.auth_data.get().contains("ZGVm"));
        let other = raw(&json!({ "algorithm": "org.example", "auth_data": {} }));
        let refused = node.keys.update_backup(&alice, "1", &other).await;
        assert!(matches!(refused, Err(BackupError::AlgorithmDiffers)));
        let mut renamed = value(&algorithm("ZGVm"));
        renamed["version"] = json!("2");
        let refused = node.keys.update_backup(&alice, "1", &raw(&renamed)).await;
        assert!(matches!(refused, Err(BackupError::VersionDiffers)));
        renamed["version"] = json!("1");
        node.keys.update_backup(&alice, "1", &raw(&renamed)).await.unwrap();
        let refused = node.keys.update_backup(&alice, "2", &algorithm("ZGVm")).await;
        assert!(matches!(refused, Err(BackupError::NoSuchVersion)));
    }

    /// Better keys replace worse ones, and the etag moves with every change and no other.
    async fn better_keys_replace_worse_ones(bench: Bench) {
        let (node, alice) = (&bench.node, person(1).id);
        node.keys.create_backup(&alice, &algorithm("YWJj"), |_| {}).await.unwrap();
        // What is put, whether it replaces what is there.
        let table = [
            (key(5, 5, false, "MQ"), true),
            (key(5, 5, false, "Mg"), false),
            (key(5, 6, false, "Mw"), false),
            (key(5, 4, false, "NA"), true),
            (key(6, 0, false, "NQ"), false),
            (key(4, 9, false, "Ng"), true),
            (key(9, 9, true, "Nw"), true),
            (key(0, 0, false, "OA"), false),
            (key(8, 9, true, "OQ"), true),
        ];
        let (mut etag, mut stored) = (0, Value::Null);
        for (given, replaces) in table {
            let state = put(node, "1", &[(1, "session", given.clone())]).await.unwrap();
            if replaces {
                (etag, stored) = (etag + 1, given);
            }
            assert_eq!(state, BackupState { count: 1, etag: etag.to_string() });
            let found = node.keys.room_key(&alice, "1", room(1), "session").await.unwrap();
            assert_eq!(value(&found), stored);
        }
        assert_eq!(node.keys.backup_info(&alice, None).await.unwrap().state.etag, etag.to_string());
    }

    /// Keys go into the current version only, and the refusal names it.
    async fn keys_go_into_the_current_version(bench: Bench) {
        let (node, alice) = (&bench.node, person(1).id);
        let one = [(1, "session", key(0, 0, true, "MQ"))];
        assert!(matches!(put(node, "1", &one).await, Err(BackupError::NoSuchVersion)));
        node.keys.create_backup(&alice, &algorithm("YWJj"), |_| {}).await.unwrap();
        put(node, "1", &one).await.unwrap();
        node.keys.create_backup(&alice, &algorithm("ZGVm"), |_| {}).await.unwrap();
        for wrong in ["1", "3", "x"] {
            let refused = put(node, wrong, &one).await.unwrap_err();
            assert!(matches!(refused, BackupError::WrongVersion { current } if current == "2"));
        }
        // The old version can be read as long as it is there.
        assert_eq!(node.keys.room_keys(&alice, "1", &all()).await.unwrap().len(), 1);
        assert!(node.keys.room_keys(&alice, "2", &all()).await.unwrap().is_empty());
        node.keys.delete_backup(&alice, "1", |_| {}).await.unwrap();
        let gone = node.keys.room_keys(&alice, "1", &all()).await;
        assert!(matches!(gone, Err(BackupError::NoSuchVersion)));
    }

    /// Reading and deleting follow the selection.
    async fn selections_are_obeyed(bench: Bench) {
        let (node, alice) = (&bench.node, person(1).id);
        node.keys.create_backup(&alice, &algorithm("YWJj"), |_| {}).await.unwrap();
        let given = [
            (1, "a", key(0, 0, true, "MQ")),
            (1, "b", key(0, 0, true, "Mg")),
            (2, "a", key(0, 0, true, "Mw")),
            (3, "c", key(0, 0, true, "NA")),
        ];
        let state = put(node, "1", &given).await.unwrap();
        assert_eq!(state, BackupState { count: 4, etag: "1".to_owned() });
        let of_one = RoomKeysSelection::Room(room(1));
        let found = node.keys.room_keys(&alice, "1", &of_one).await.unwrap();
        assert_eq!(found[&room(1)].keys().collect::<Vec<_>>(), ["a", "b"]);
        let missing = node.keys.room_key(&alice, "1", room(1), "c").await;
        assert!(matches!(missing, Err(BackupError::NoSuchKey)));
        let missing = node.keys.room_keys(&alice, "1", &RoomKeysSelection::Room(room(9))).await;
        assert!(missing.unwrap().is_empty());

        let delete = async |selection| node.keys.delete_room_keys(&alice, "1", &selection).await.unwrap();
        let state = delete(RoomKeysSelection::Session(room(1), "a".to_owned())).await;
        assert_eq!(state, BackupState { count: 3, etag: "2".to_owned() });
        assert_eq!(delete(of_one).await.count, 2);
        let found = node.keys.room_keys(&alice, "1", &all()).await.unwrap();
        assert_eq!(found.into_keys().collect::<Vec<_>>(), [room(2), room(3)]);
        assert_eq!(delete(RoomKeysSelection::Room(room(9))).await.etag, "3");
        assert_eq!(delete(all()).await, BackupState { count: 0, etag: "4".to_owned() });
        let refused = node.keys.delete_room_keys(&alice, "2", &all()).await;
        assert!(matches!(refused, Err(BackupError::NoSuchVersion)));
    }

    /// Thousands of sessions in one upload are all there afterwards.
    async fn large_uploads_arrive_whole(bench: Bench) {
        let (node, alice) = (&bench.node, person(1).id);
        node.keys.create_backup(&alice, &algorithm("YWJj"), |_| {}).await.unwrap();
        let data = "x".repeat(600);
        let sessions: Vec<String> = (0..1_500).map(|number| format!("session{number}")).collect();
        let given: Vec<_> = sessions
            .iter()
            .enumerate()
            .map(|(number, session)| (number % 7, session.as_str(), key(0, 0, true, &data)))
            .collect();
        assert_eq!(put(node, "1", &given).await.unwrap().count, 1_500);
        let found = node.keys.room_keys(&alice, "1", &all()).await.unwrap();
        assert_eq!(found.values().map(|sessions| sessions.len()).sum::<usize>(), 1_500);
    }

    /// One malformed key refuses the upload before any of it is stored.
    async fn a_malformed_key_refuses_the_upload(bench: Bench) {
        let (node, alice) = (&bench.node, person(1).id);
        node.keys.create_backup(&alice, &algorithm("YWJj"), |_| {}).await.unwrap();
        for wrong in [
            json!({}),
            json!("x"),
            json!({ "first_message_index": -1, "forwarded_count": 0, "is_verified": true, "session_data": {} }),
            json!({ "first_message_index": 0, "forwarded_count": 0, "is_verified": true, "session_data": [] }),
            json!({ "first_message_index": 0, "forwarded_count": 0, "is_verified": 1, "session_data": {} }),
            key(0, 0, true, &"x".repeat(70_000)),
        ] {
            let given = [(1, "good", key(0, 0, true, "MQ")), (2, "wrong", wrong.clone())];
            let refused = put(node, "1", &given).await;
            assert!(matches!(refused, Err(BackupError::Malformed(_))), "{wrong}");
        }
        let odd = [(1, "nul\0", key(0, 0, true, "MQ"))];
        assert!(matches!(put(node, "1", &odd).await, Err(BackupError::Malformed(_))));
        assert_eq!(node.keys.backup_info(&alice, None).await.unwrap().state.count, 0);
    }

    /// Backups of one user are nobody else's.
    async fn backups_are_their_owners_alone(bench: Bench) {
        let (node, alice, bob) = (&bench.node, person(1).id, person(2).id);
        node.keys.create_backup(&alice, &algorithm("YWJj"), |_| {}).await.unwrap();
        put(node, "1", &[(1, "a", key(0, 0, true, "MQ"))]).await.unwrap();
        node.keys.create_backup(&bob, &algorithm("ZGVm"), |_| {}).await.unwrap();
        assert!(node.keys.room_keys(&bob, "1", &all()).await.unwrap().is_empty());
        node.keys.delete_room_keys(&bob, "1", &all()).await.unwrap();
        assert_eq!(node.keys.room_keys(&alice, "1", &all()).await.unwrap().len(), 1);
    }

    /// A full version takes better keys for what it has, and nothing else.
    async fn a_version_holds_so_many_sessions_and_no_more(bench: Bench) {
        const FILL: &str = "INSERT INTO key_backup_sessions (user_id, version, room_id, session_id, \
             first_message_index, forwarded_count, is_verified, sealed) \
             WITH RECURSIVE numbers (number) AS (SELECT CAST(1 AS BIGINT) \
             UNION ALL SELECT number + 1 FROM numbers WHERE number < $1) \
             SELECT CAST($2 AS BIGINT), 1, 1, CAST(number AS TEXT), 0, 0, 0, CAST($3 AS BYTEA) \
             FROM numbers";
        let (node, alice) = (&bench.node, person(1).id);
        node.keys.create_backup(&alice, &algorithm("YWJj"), |_| {}).await.unwrap();
        put(node, "1", &[(1, "s", key(5, 0, false, "MQ"))]).await.unwrap();
        let user = node.id_of(&alice).await;
        let all_but_two = vec![499_998.into(), user.into(), vec![0u8].into()];
        let write = LocalWrite::new().and(FILL, all_but_two);
        node.log.write_local(write).await.unwrap();
        let two = [(1, "t", key(5, 0, false, "MQ")), (1, "u", key(5, 0, false, "MQ"))];
        let refused = put(node, "1", &two).await;
        assert!(matches!(refused, Err(BackupError::Full)));
        let last = put(node, "1", &two[..1]).await.unwrap();
        assert_eq!(last.count, 500_000);
        let refused = put(node, "1", &two).await;
        assert!(matches!(refused, Err(BackupError::Full)));
        let better = put(node, "1", &[(1, "s", key(1, 0, false, "Mg"))]).await.unwrap();
        assert_ne!(better.etag, last.etag);
        // Another version begins empty.
        node.keys.create_backup(&alice, &algorithm("YWJj"), |_| {}).await.unwrap();
        put(node, "2", &two).await.unwrap();
    }
}
