//! Making rooms: presets, versions, what is refused.

use rooms::{InitialState, Preset, RoomsRefusal};
use ruma::{OwnedRoomId, RoomVersionId, owned_room_alias_id};
use serde_json::json;

use crate::harness::{
    Bench, alice, assert_forbidden, bob, carol, conformance, content, plain, refusal, shown_as,
};

const VERSIONS: [RoomVersionId; 5] = [
    RoomVersionId::V1,
    RoomVersionId::V6,
    RoomVersionId::V10,
    RoomVersionId::V11,
    RoomVersionId::V12,
];

fn state(kind: &str, key: &str, value: serde_json::Value) -> InitialState {
    InitialState {
        kind: kind.into(),
        state_key: key.to_owned(),
        content: content(value),
    }
}

conformance! {
    async fn every_preset_makes_its_room_in_every_version(bench) {
        let node = bench.node().await;
        for version in VERSIONS {
            for (preset, rule, guests) in [
                (Preset::PrivateChat, "invite", "can_join"),
                (Preset::TrustedPrivateChat, "invite", "can_join"),
                (Preset::PublicChat, "public", "forbidden"),
            ] {
                let mut request = plain(preset);
                request.version = Some(version.clone());
                request.invite = vec![(bob().to_owned(), shown_as("Bob"))];
                request.name = Some("Lobby".to_owned());
                let room = node.create(&request).await.unwrap();
                let says = async |kind: &str| node.state(&room, kind, "").await;
                assert_eq!(says("m.room.join_rules").await["join_rule"], rule);
                assert_eq!(says("m.room.guest_access").await["guest_access"], guests);
                assert_eq!(says("m.room.history_visibility").await["history_visibility"], "shared");
                assert_eq!(says("m.room.name").await["name"], "Lobby");
                assert_eq!(node.membership(&room, alice()).await, "join");
                let invitation = node.state(&room, "m.room.member", bob().as_str()).await;
                assert_eq!(invitation["membership"], "invite");
                assert_eq!(invitation["displayname"], "Bob");
                let found = node.rooms.room(&room).await.unwrap();
                assert_eq!(*found.version(), version);
                let powers = (found.state.power_level_of(alice()), found.state.power_level_of(bob()));
                let trusted = preset == Preset::TrustedPrivateChat;
                assert_eq!(powers.0 == powers.1, trusted, "{version} {preset:?}");
            }
        }
    }

    async fn a_room_of_version_12_bears_the_id_of_its_create_event(bench) {
        let node = bench.node().await;
        let room = node.private().await;
        let first = node.timeline(&room).await.remove(0);
        assert_eq!(first.pdu.type_name(), "m.room.create");
        assert_eq!(first.pdu.event_id().as_str()[1..], room.as_str()[1..]);
        // The clock stands still: only the moment can tell them apart.
        let mut rooms = vec![room];
        for _ in 0..8 {
            rooms.push(node.private().await);
        }
        rooms.sort();
        rooms.dedup();
        assert_eq!(rooms.len(), 9);
    }

    async fn rooms_made_at_once_by_one_user_are_different_rooms(bench) {
        let node = bench.node().await;
        let request = plain(Preset::PublicChat);
        let (one, two) = tokio::join!(node.create(&request), node.create(&request));
        assert_ne!(one.unwrap(), two.unwrap());
    }

    async fn initial_state_stands_in_place_of_what_the_preset_says(bench) {
        let node = bench.node().await;
        let mut request = plain(Preset::PrivateChat);
        request.initial_state = vec![
            state("m.room.history_visibility", "", json!({ "history_visibility": "joined" })),
            state("org.example.thing", "key", json!({ "a": 1 })),
        ];
        let room = node.create(&request).await.unwrap();
        let visibility = node.state(&room, "m.room.history_visibility", "").await;
        assert_eq!(visibility["history_visibility"], "joined");
        assert_eq!(node.state(&room, "org.example.thing", "key").await["a"], 1);
        let kinds: Vec<_> = node.timeline(&room).await;
        let twice = kinds.iter().filter(|event| event.pdu.type_name() == "m.room.history_visibility");
        assert_eq!(twice.count(), 1);
    }

    async fn the_maker_may_raise_and_lower_powers(bench) {
        let node = bench.node().await;
        let mut request = plain(Preset::PrivateChat);
        request.power_levels = Some(content(json!({ "events_default": 50, "invite": 100 })));
        let room = node.create(&request).await.unwrap();
        let levels = node.state(&room, "m.room.power_levels", "").await;
        assert_eq!((&levels["events_default"], &levels["invite"]), (&json!(50), &json!(100)));
        assert_eq!(levels["ban"], 50);
    }

    async fn a_refused_room_leaves_nothing_behind(bench) {
        let node = bench.node().await;
        let before = node.head().await;
        let mut request = plain(Preset::PrivateChat);
        request.initial_state = vec![state("m.room.member", carol().as_str(), json!({ "membership": "join" }))];
        assert_forbidden(node.create(&request).await);
        let mut request = plain(Preset::PrivateChat);
        request.version = Some(RoomVersionId::try_from("org.example.99").unwrap());
        assert!(matches!(refusal(node.create(&request).await), RoomsRefusal::UnsupportedVersion(_)));
        let mut request = plain(Preset::PrivateChat);
        request.power_levels = Some(content(json!({ "users": { alice().as_str(): 100 } })));
        assert_forbidden(node.create(&request).await);
        assert_eq!(node.head().await, before);
        assert_eq!(node.count("SELECT room FROM rooms").await.unwrap(), 0);
    }

    async fn a_room_that_is_too_much_is_refused_before_it_is_queued(bench) {
        let node = bench.node().await;
        let mut request = plain(Preset::PrivateChat);
        request.topic = Some("x".repeat(70_000));
        assert!(matches!(refusal(node.create(&request).await), RoomsRefusal::TooLarge));
        let mut request = plain(Preset::PrivateChat);
        let many = (0..2_000).map(|key| state("org.example.thing", &key.to_string(), json!({})));
        request.initial_state = many.collect();
        assert!(matches!(refusal(node.create(&request).await), RoomsRefusal::TooMuch));
    }

    async fn an_alias_is_made_with_its_room_or_the_room_is_not_made(bench) {
        let node = bench.node().await;
        let lobby = owned_room_alias_id!("#lobby:localhost");
        let mut request = plain(Preset::PublicChat);
        request.alias = Some(lobby.clone());
        request.published = true;
        let room = node.create(&request).await.unwrap();
        assert_eq!(node.rooms.resolve_alias(&lobby).await.unwrap(), room);
        assert_eq!(node.state(&room, "m.room.canonical_alias", "").await["alias"], lobby.as_str());
        assert!(node.rooms.room(&room).await.unwrap().published);
        let again = refusal(node.create(&request).await);
        assert!(matches!(again, RoomsRefusal::AliasTaken(alias) if alias == lobby));
        assert_eq!(node.count("SELECT room FROM rooms").await.unwrap(), 1);
    }

    async fn a_new_room_cannot_claim_the_alias_of_another(bench) {
        let node = bench.node().await;
        let mut request = plain(Preset::PublicChat);
        request.initial_state =
            vec![state("m.room.canonical_alias", "", json!({ "alias": "#lobby:localhost" }))];
        assert!(matches!(refusal(node.create(&request).await), RoomsRefusal::BadAlias(_)));
    }

    async fn what_else_stands_in_the_intent_is_told_the_rooms_id(bench) {
        let node = bench.node().await;
        let told = std::sync::Mutex::new(None::<OwnedRoomId>);
        let request = plain(Preset::PrivateChat);
        let room = node.rooms.create(&node.log, &request, |room| {
            *told.lock().unwrap() = Some(room.clone());
            store::Intent::new()
        });
        let room = room.await.unwrap();
        assert_eq!(told.into_inner().unwrap(), Some(room));
    }
}
