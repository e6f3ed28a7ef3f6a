//! Telling the administrators of rooms, events and people.

use reports::Report;
use serde_json::json;

use super::refusal;
use crate::server::{Node, Server, User, on_both_engines};

on_both_engines! {
    shared_postgres;
    what_is_reported_is_kept_with_its_reason,
    nobody_learns_from_reporting_what_exists,
    only_who_is_in_the_room_and_sees_an_event_reports_it,
    a_reason_is_bounded,
    the_newest_reports_of_a_person_are_kept,
}

impl Node {
    async fn report(&self, user: &User, what: &str, reason: &str) {
        let body = json!({ "reason": reason });
        let answer = self
            .call(user, "POST", &format!("{what}/report"), body)
            .await;
        assert_eq!(answer, json!({}));
    }

    /// What a person has reported.
    async fn reported_by(&self, user: &User) -> Vec<Report> {
        let mut all = Vec::new();
        loop {
            let after = all.last().map_or(0, |report: &Report| report.id);
            let page = self.parts.reports.list(after, 100).await.unwrap();
            if page.is_empty() {
                break;
            }
            all.extend(page);
        }
        all.retain(|report| report.reporter == user.user_id);
        all
    }
}

async fn what_is_reported_is_kept_with_its_reason(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&bob).await;
    // One need not be in a room to report it.
    node.report(&alice, &format!("rooms/{room}"), "").await;
    node.report(&alice, &format!("users/{}", bob.user_id), "he pesters")
        .await;
    node.go(&alice, "join", &room).await;
    let said = node.say(&bob, &room, "nonsense").await;
    let event = format!("rooms/{room}/report/{said}");
    // Old clients rate what they report; and a reason is not asked for.
    let body = json!({ "score": -100, "reason": "nonsense\u{1b}[2J" });
    node.call(&alice, "POST", &event, body).await;
    node.call(&alice, "POST", &event, json!({})).await;
    let kept: Vec<_> = node.reported_by(&alice).await;
    let shown: Vec<_> = kept
        .iter()
        .map(|report| {
            let Report {
                user_id,
                room_id,
                event_id,
                ..
            } = report;
            let ids = [user_id, room_id, event_id].map(Option::as_deref);
            (ids, report.reason.as_str())
        })
        .collect();
    let (bob, room, said) = (Some(&*bob.user_id), Some(&*room), Some(&*said));
    assert_eq!(
        shown,
        [
            ([None, room, None], ""),
            ([bob, None, None], "he pesters"),
            ([bob, room, said], "nonsense\u{1b}[2J"),
            ([bob, room, said], ""),
        ]
    );
}

async fn nobody_learns_from_reporting_what_exists(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    for what in [
        "users/@nobody:localhost",
        "users/@somebody:elsewhere.example",
        "rooms/!nothing:localhost",
    ] {
        node.report(&alice, what, "hm").await;
    }
    assert_eq!(node.reported_by(&alice).await, []);
}

async fn only_who_is_in_the_room_and_sees_an_event_reports_it(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&bob).await;
    let visibility = json!({ "history_visibility": "joined" });
    node.set(&bob, &room, ("m.room.history_visibility", ""), visibility)
        .await;
    let unseen = node.say(&bob, &room, "before").await;
    let elsewhere = node.public(&alice).await;
    let cannot = async |room: &str, event: &str| {
        let path = format!("rooms/{room}/report/{event}");
        let refused = node.refuses(&alice, "POST", &path, "{}").await;
        assert_eq!(refused, refusal(404, "M_NOT_FOUND"), "{path}");
    };
    cannot(&room, &unseen).await;
    node.go(&alice, "join", &room).await;
    cannot(&room, &unseen).await;
    cannot(&elsewhere, &unseen).await;
    cannot(&room, "$nothing").await;
    cannot("!nothing:localhost", &unseen).await;
    assert_eq!(node.reported_by(&alice).await, []);
    let seen = node.say(&bob, &room, "after").await;
    let path = format!("rooms/{room}/report/{seen}");
    node.call(&alice, "POST", &path, json!({})).await;
    assert_eq!(node.reported_by(&alice).await.len(), 1);
}

async fn a_reason_is_bounded(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let said = node.say(&alice, &room, "x").await;
    let longest = "x".repeat(4_096);
    node.report(&alice, &format!("rooms/{room}"), &longest)
        .await;
    let body = json!({ "reason": format!("{longest}x") }).to_string();
    for path in [
        format!("rooms/{room}/report"),
        format!("rooms/{room}/report/{said}"),
        format!("users/{}/report", alice.user_id),
        "users/@nobody:localhost/report".to_owned(),
    ] {
        let refused = node.refuses(&alice, "POST", &path, &body).await;
        assert_eq!(refused, refusal(413, "M_TOO_LARGE"), "{path}");
    }
    let refused = node
        .refuses(&alice, "POST", "users/@nobody:localhost/report", "{}")
        .await;
    assert_eq!(refused, refusal(400, "M_BAD_JSON"));
    assert_eq!(node.reported_by(&alice).await.len(), 1);
}

async fn the_newest_reports_of_a_person_are_kept(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    node.report(&bob, &format!("users/{}", alice.user_id), "mine")
        .await;
    for chunk in 0..10 {
        let one = async |number: usize| {
            let reason = format!("{}", chunk * 101 + number);
            node.report(&alice, &format!("users/{}", bob.user_id), &reason)
                .await;
        };
        futures_util::future::join_all((0..101).map(one)).await;
    }
    let kept = node.reported_by(&alice).await;
    assert_eq!(kept.len(), 1_000);
    // Those of the first hundred that came first are gone, and nobody else's.
    let newest = |report: &Report| report.reason.parse::<usize>().unwrap() >= 909;
    assert_eq!(kept.iter().filter(|report| newest(report)).count(), 101);
    assert_eq!(node.reported_by(&bob).await.len(), 1);
}
