//! Messages to devices: at least once until their receipt is proved, never skipped.

use std::time::Duration;

use keys::{MessageToDevice, SendError, SendToDevices, WaitingMessages};
use serde_json::json;
use store::{Intent, Pos};
use testkit::eventually;

use crate::{
    bench::{Bench, Node},
    conformance,
    people::{Person, person, raw, value},
};

fn send(sender: &Person, txn: &str, recipients: &[&Person], body: &str) -> SendToDevices {
    let messages = recipients.iter().map(|person| MessageToDevice {
        user_id: person.id.clone(),
        device_id: person.device.clone(),
        content: raw(&json!({ "body": body })),
    });
    SendToDevices {
        sender: sender.id.clone(),
        device_id: sender.device.clone(),
        txn_id: txn.into(),
        event_type: "m.room.encrypted".into(),
        messages: messages.collect(),
    }
}

async fn read(node: &Node, person: &Person, after: Pos, limit: usize) -> WaitingMessages {
    let user = node.id_of(&person.id).await;
    let snapshot = node.snapshot().await;
    let device = person.device.as_str();
    let waiting = node
        .keys
        .to_device_since(&snapshot, user, device, after, snapshot.head(), limit);
    waiting.await.unwrap()
}

async fn acknowledge(node: &Node, person: &Person, upto: Pos) {
    let user = node.id_of(&person.id).await;
    let snapshot = node.snapshot().await;
    let device = person.device.as_str();
    node.keys
        .acknowledge_to_device(&snapshot, user, device, upto)
        .await
        .unwrap();
}

fn bodies(waiting: &WaitingMessages) -> Vec<String> {
    let bodies = waiting
        .events
        .iter()
        .map(|event| value(event)["content"]["body"].clone());
    bodies
        .map(|body| body.as_str().unwrap().to_owned())
        .collect()
}

conformance! {
    /// A message stays until its device proves that it has it, whatever happens between.
    async fn messages_wait_until_their_receipt_is_proved(bench: Bench) {
        let (alice, bob) = (person(1), person(2));
        for number in ["1", "2", "3"] {
            bench.node.keys.send_to_devices(&send(&alice, number, &[&bob], number)).await.unwrap();
        }
        let bench = bench.restarted().await;
        let node = &bench.node;
        let first = read(node, &bob, Pos::START, 2).await;
        assert_eq!(bodies(&first), ["1", "2"]);
        assert!(first.more);
        let event = value(&first.events[0]);
        assert_eq!(event, json!({
            "type": "m.room.encrypted", "sender": alice.id, "content": { "body": "1" },
        }));
        // The answer was lost: the device asks again with the token it has.
        assert_eq!(bodies(&read(node, &bob, Pos::START, 2).await), ["1", "2"]);
        acknowledge(node, &bob, first.upto).await;
        assert_eq!(bodies(&read(node, &bob, Pos::START, 9).await), ["3"]);
        let rest = read(node, &bob, first.upto, 9).await;
        assert_eq!((bodies(&rest), rest.more), (vec!["3".to_owned()], false));
        assert_eq!(rest.upto, node.snapshot().await.head());
        acknowledge(node, &bob, rest.upto).await;
        assert!(read(node, &bob, Pos::START, 9).await.events.is_empty());
        // With nothing to remove, nothing is committed.
        let head = node.snapshot().await.head();
        acknowledge(node, &bob, head).await;
        assert_eq!(node.snapshot().await.head(), head);
    }

    /// A retry of a send is not a second send; another device may use the same name.
    async fn a_transaction_is_sent_once(bench: Bench) {
        let (node, alice, bob) = (&bench.node, person(1), person(2));
        for _ in 0..3 {
            node.keys.send_to_devices(&send(&alice, "txn", &[&bob], "a")).await.unwrap();
        }
        let other = Person { device: "OTHER".into(), ..person(1) };
        node.keys.send_to_devices(&send(&other, "txn", &[&bob], "b")).await.unwrap();
        assert_eq!(bodies(&read(node, &bob, Pos::START, 9).await), ["a", "b"]);
    }

    /// A send that is too large for one batch is cut, and a retry of it still sends nothing twice.
    async fn large_sends_arrive_whole_and_once(bench: Bench) {
        let (node, alice) = (&bench.node, person(1));
        let devices: Vec<Person> = (0..30)
            .map(|number| Person { device: format!("D{number:02}").into(), ..person(2) })
            .collect();
        let devices: Vec<&Person> = devices.iter().collect();
        let large = send(&alice, "large", &devices, &"x".repeat(60_000));
        node.keys.send_to_devices(&large).await.unwrap();
        node.keys.send_to_devices(&large).await.unwrap();
        for device in devices {
            assert_eq!(read(node, device, Pos::START, 9).await.events.len(), 1);
        }
        let too_large = send(&alice, "too large", &[&person(2)], &"x".repeat(70_000));
        let refused = node.keys.send_to_devices(&too_large).await;
        assert!(matches!(refused, Err(SendError::TooLarge(_))));
    }

    /// What a device has waiting ends with it.
    async fn a_dropped_device_has_no_messages(bench: Bench) {
        let (node, alice, bob) = (&bench.node, person(1), person(2));
        node.keys.send_to_devices(&send(&alice, "1", &[&bob], "a")).await.unwrap();
        let mut intent = Intent::new();
        node.keys.add_drop_device(&mut intent, &bob.id, &bob.device);
        node.log.commit(intent).await.unwrap();
        assert!(read(node, &bob, Pos::START, 9).await.events.is_empty());
    }

    /// Finished sends are forgotten after a day, waiting messages are not.
    async fn trimming_forgets_old_sends_alone(bench: Bench) {
        let (node, alice, bob) = (&bench.node, person(1), person(2));
        node.keys.send_to_devices(&send(&alice, "1", &[&bob], "a")).await.unwrap();
        node.clock.advance(Duration::from_secs(23 * 3_600));
        assert!(!node.keys.trim_to_device().await.unwrap());
        node.keys.send_to_devices(&send(&alice, "1", &[&bob], "a")).await.unwrap();
        assert_eq!(read(node, &bob, Pos::START, 9).await.events.len(), 1);
        node.clock.advance(Duration::from_secs(2 * 3_600));
        assert!(node.keys.trim_to_device().await.unwrap());
        assert!(!node.keys.trim_to_device().await.unwrap());
        node.keys.send_to_devices(&send(&alice, "1", &[&bob], "a")).await.unwrap();
        assert_eq!(read(node, &bob, Pos::START, 9).await.events.len(), 2);
    }
}

#[tokio::test]
async fn a_running_server_trims_every_hour() {
    let bench = Bench::sqlite().await;
    let node = &bench.node;
    let (alice, bob) = (person(1), person(2));
    let sends = async || {
        let rows = node
            .database
            .query("SELECT at FROM to_device_sends", &[])
            .await;
        rows.unwrap().len()
    };
    let message = send(&alice, "1", &[&bob], "a");
    node.keys.send_to_devices(&message).await.unwrap();
    assert_eq!(sends().await, 1);
    let keys = node.keys.clone();
    let trimming = tokio::spawn(async move { keys.trim_to_device_regularly().await });
    eventually("the first look is over", async || {
        (node.clock.sleepers() > 0).then_some(())
    })
    .await;
    assert_eq!(sends().await, 1);
    node.clock.advance(Duration::from_secs(25 * 3_600));
    eventually("the old send is forgotten", async || {
        (sends().await == 0).then_some(())
    })
    .await;
    trimming.abort();
}
