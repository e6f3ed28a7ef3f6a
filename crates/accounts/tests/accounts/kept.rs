//! What people keep: profile, account data, tags, filters, push rules.

use accounts::{
    account_data::{AccountDataError, MAX_CONTENT_BYTES},
    filters::FilterError,
    profile::ProfileError,
    push_rules::{PUSH_RULES, PushRuleEdit, PushRuleError},
    tags::TagError,
};
use ruma::{
    RoomId,
    push::{NewConditionalPushRule, NewPushRule, RuleKind},
    room_id,
};
use serde_json::{json, value::RawValue};
use store::{Intent, Pos};

use crate::deployment::{Deployment, on_both_engines, on_two_nodes};

on_both_engines! {
    profile_fields_are_set_read_and_taken_back,
    account_data_is_read_back_and_in_order_of_change,
    entries_that_cannot_be_are_refused,
    tags_are_put_on_rooms_and_taken_off,
    a_filter_has_one_id_however_often_it_is_kept,
    push_rules_are_the_persons_over_the_servers,
    closing_an_account_takes_what_it_kept,
}

on_two_nodes! {
    tags_put_on_two_nodes_at_once_all_stand,
}

fn raw(value: &serde_json::Value) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).unwrap()
}

fn room() -> &'static RoomId {
    room_id!("!room:example.org")
}

async fn profile_fields_are_set_read_and_taken_back(deployment: Deployment) {
    let node = deployment.node().await;
    let (alice, _) = node.join("alice").await;
    let accounts = &node.accounts;
    let set = |field: &str, value: Option<serde_json::Value>| {
        let (accounts, user, field) = (accounts.clone(), alice.user, field.to_owned());
        async move {
            accounts
                .set_profile_field(user, &field, value.as_ref())
                .await
        }
    };
    set("displayname", Some(json!("Alice"))).await.unwrap();
    let head = node.log.applied();
    set("displayname", Some(json!("Alice"))).await.unwrap();
    assert_eq!(node.log.applied(), head, "setting it again changes nothing");
    set("org.example.team", Some(json!({"name": "red"})))
        .await
        .unwrap();
    let profile = || async { accounts.profile(&alice.user_id).await.unwrap().unwrap() };
    assert_eq!(
        json!(profile().await),
        json!({"displayname": "Alice", "org.example.team": {"name": "red"}})
    );
    set("displayname", None).await.unwrap();
    assert!(!profile().await.contains_key("displayname"));
    for field in ["", "a\0", "a b", "A", "1a", ".a", "ä"] {
        let refused = set(field, Some(json!(1))).await;
        assert!(matches!(refused, Err(ProfileError::Field)), "{field:?}");
    }
    let refused = set(&"x".repeat(256), Some(json!(1))).await;
    assert!(matches!(refused, Err(ProfileError::FieldTooLong)));
    let huge = set("a", Some(json!("x".repeat(65_536)))).await;
    assert!(matches!(huge, Err(ProfileError::TooLarge)));
    let nobody = ruma::user_id!("@nobody:example.org");
    assert_eq!(accounts.profile(nobody).await.unwrap(), None);
}

async fn account_data_is_read_back_and_in_order_of_change(deployment: Deployment) {
    let node = deployment.node().await;
    let (alice, _) = node.join("alice").await;
    let (bob, _) = node.join("bob").await;
    let accounts = &node.accounts;
    let set = |room, kind: &'static str, value: serde_json::Value| {
        let (accounts, user) = (accounts.clone(), alice.user);
        async move {
            let value = raw(&value);
            accounts
                .set_account_data(user, room, kind, &value)
                .await
                .unwrap();
        }
    };
    let before = node.log.applied();
    set(None, "m.direct", json!({"a": 1})).await;
    set(Some(room()), "x.note", json!({"b": 2})).await;
    let middle = node.log.applied();
    set(None, "m.direct", json!({"a": 1})).await;
    assert_eq!(
        node.log.applied(),
        middle,
        "the same content changes nothing"
    );
    set(None, "m.direct", json!({"a": 3})).await;
    let snapshot = node.log.database().snapshot().await.unwrap();
    let since = |from: Pos, to: Pos| {
        let snapshot = &snapshot;
        async move {
            let entries = accounts
                .account_data_since(snapshot, alice.user, from, to)
                .await;
            let entries = entries.unwrap().into_iter();
            entries
                .map(|entry| (entry.kind, entry.room == 0, entry.content.get().to_owned()))
                .collect::<Vec<_>>()
        }
    };
    let note = ("x.note".to_owned(), false, r#"{"b":2}"#.to_owned());
    let direct = ("m.direct".to_owned(), true, r#"{"a":3}"#.to_owned());
    let head = snapshot.head();
    assert_eq!(since(before, head).await, [note, direct.clone()]);
    assert_eq!(since(middle, head).await, [direct]);
    assert!(since(head, head).await.is_empty());
    let read = |user, room| accounts.account_data(user, room, "m.direct");
    assert!(read(bob.user, None).await.unwrap().is_none());
    assert!(read(alice.user, Some(room())).await.unwrap().is_none());
    assert!(read(alice.user, None).await.unwrap().is_some());
}

async fn entries_that_cannot_be_are_refused(deployment: Deployment) {
    let node = deployment.node().await;
    let (alice, _) = node.join("alice").await;
    let accounts = &node.accounts;
    let empty = raw(&json!({}));
    for kind in ["", "a\0", &"x".repeat(256)] {
        let refused = accounts.set_account_data(alice.user, None, kind, &empty);
        assert!(
            matches!(refused.await, Err(AccountDataError::Kind)),
            "{kind:?}"
        );
        let read = accounts.account_data(alice.user, None, kind).await.unwrap();
        assert!(read.is_none());
    }
    let huge = raw(&json!({"a": "x".repeat(MAX_CONTENT_BYTES)}));
    let refused = accounts.set_account_data(alice.user, None, "a", &huge);
    assert!(matches!(refused.await, Err(AccountDataError::TooLarge)));
    let refused = accounts.set_account_data(999, None, "a", &empty);
    assert!(matches!(refused.await, Err(AccountDataError::NoSuchUser)));
}

async fn tags_are_put_on_rooms_and_taken_off(deployment: Deployment) {
    let node = deployment.node().await;
    let (alice, _) = node.join("alice").await;
    let accounts = &node.accounts;
    let tags = || async { json!(accounts.tags(alice.user, room()).await.unwrap()) };
    assert_eq!(tags().await, json!({}));
    let set = |tag: &str| {
        let (accounts, user, tag) = (accounts.clone(), alice.user, tag.to_owned());
        async move {
            accounts
                .set_tag(user, room(), &tag, json!({"order": 0.5}))
                .await
        }
    };
    set("u.work").await.unwrap();
    set("m.favourite").await.unwrap();
    accounts
        .remove_tag(alice.user, room(), "u.work")
        .await
        .unwrap();
    accounts
        .remove_tag(alice.user, room(), "u.never")
        .await
        .unwrap();
    assert_eq!(tags().await, json!({"m.favourite": {"order": 0.5}}));
    for tag in ["", "a\0", &"x".repeat(256)] {
        assert!(matches!(set(tag).await, Err(TagError::Name)), "{tag:?}");
    }
    for number in 1..100 {
        set(&format!("u.{number}")).await.unwrap();
    }
    assert!(matches!(set("u.one_more").await, Err(TagError::TooMany)));
}

async fn a_filter_has_one_id_however_often_it_is_kept(deployment: Deployment) {
    let node = deployment.node().await;
    let (alice, _) = node.join("alice").await;
    let (bob, _) = node.join("bob").await;
    let accounts = &node.accounts;
    let filter = raw(&json!({"room": {"timeline": {"limit": 5}}}));
    let id = accounts.put_filter(alice.user, &filter).await.unwrap();
    assert_eq!(accounts.put_filter(alice.user, &filter).await.unwrap(), id);
    let other = accounts
        .put_filter(alice.user, &raw(&json!({})))
        .await
        .unwrap();
    assert_ne!(other, id);
    let read = accounts.filter(alice.user, &id).await.unwrap().unwrap();
    assert_eq!(read.get(), filter.get());
    assert!(accounts.filter(bob.user, &id).await.unwrap().is_none());
    for id in ["", "a\0", &"x".repeat(300)] {
        assert!(accounts.filter(alice.user, id).await.unwrap().is_none());
    }
    let huge = raw(&json!({"a": "x".repeat(65_536)}));
    let refused = accounts.put_filter(alice.user, &huge).await;
    assert!(matches!(refused, Err(FilterError::TooLarge)));
}

async fn push_rules_are_the_persons_over_the_servers(deployment: Deployment) {
    let node = deployment.node().await;
    let (alice, _) = node.join("alice").await;
    let accounts = &node.accounts;
    let rules = || async {
        accounts
            .push_rules(alice.user, &alice.user_id)
            .await
            .unwrap()
    };
    let edit = |edit| accounts.edit_push_rules(alice.user, &alice.user_id, edit);
    let master = ".m.rule.master";
    assert!(
        !rules()
            .await
            .get(RuleKind::Override, master)
            .unwrap()
            .enabled()
    );
    edit(PushRuleEdit::Enable(
        RuleKind::Override,
        master.into(),
        true,
    ))
    .await
    .unwrap();
    assert!(
        rules()
            .await
            .get(RuleKind::Override, master)
            .unwrap()
            .enabled()
    );
    let mine = NewConditionalPushRule::new("mine".into(), vec![], vec![]);
    edit(PushRuleEdit::Put {
        rule: NewPushRule::Override(mine),
        after: None,
        before: None,
    })
    .await
    .unwrap();
    assert!(rules().await.get(RuleKind::Override, "mine").is_some());
    edit(PushRuleEdit::Remove(RuleKind::Override, "mine".into()))
        .await
        .unwrap();
    assert!(rules().await.get(RuleKind::Override, "mine").is_none());
    let again = edit(PushRuleEdit::Remove(RuleKind::Override, "mine".into())).await;
    assert!(matches!(again, Err(PushRuleError::NoSuchRule)));
    let stored = accounts.account_data(alice.user, None, PUSH_RULES).await;
    assert!(stored.unwrap().unwrap().get().contains(master));
}

async fn closing_an_account_takes_what_it_kept(deployment: Deployment) {
    let node = deployment.node().await;
    let (alice, _) = node.join("alice").await;
    let accounts = &node.accounts;
    let name = json!("Alice");
    accounts
        .set_profile_field(alice.user, "displayname", Some(&name))
        .await
        .unwrap();
    let content = raw(&json!({"a": 1}));
    accounts
        .set_account_data(alice.user, None, "m.direct", &content)
        .await
        .unwrap();
    let id = accounts.put_filter(alice.user, &content).await.unwrap();
    for (erase, fields) in [(false, 1), (true, 0)] {
        let mut intent = Intent::new();
        let whose = (alice.user, &*alice.user_id);
        let by = accounts::By::command_line();
        accounts.add_deactivation(&mut intent, whose, erase, &by);
        node.log.commit(intent).await.unwrap();
        let kept = accounts.account_data(alice.user, None, "m.direct").await;
        assert!(kept.unwrap().is_none());
        assert!(accounts.filter(alice.user, &id).await.unwrap().is_none());
        let profile = accounts.profile(&alice.user_id).await.unwrap().unwrap();
        assert_eq!(profile.len(), fields);
    }
}

async fn tags_put_on_two_nodes_at_once_all_stand(deployment: Deployment) {
    let (one, other) = (deployment.node().await, deployment.node().await);
    let (alice, _) = one.join("alice").await;
    let put = |node: &crate::deployment::Node, tag: String| {
        let (accounts, user) = (node.accounts.clone(), alice.user);
        async move {
            accounts
                .set_tag(user, room(), &tag, json!({}))
                .await
                .unwrap()
        }
    };
    for round in 0..10 {
        tokio::join!(
            put(&one, format!("u.a{round}")),
            put(&other, format!("u.b{round}"))
        );
    }
    let tags = one.accounts.tags(alice.user, room()).await.unwrap();
    assert_eq!(tags.len(), 20);
}
