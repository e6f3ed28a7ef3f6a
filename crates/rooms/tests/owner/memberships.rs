//! Who may do what to whose membership, and what is done twice.

use rooms::{MemberChange, MemberProfile, RoomsRefusal};
use ruma::{RoomId, RoomVersionId, UserId};
use serde_json::json;

use crate::harness::{
    Bench, Node, alice, assert_forbidden, assert_joined_before_leaving, bob, carol, conformance,
    content, refusal, restricted, shown_as,
};

fn invite() -> MemberChange {
    MemberChange::Invite {
        profile: MemberProfile::default(),
        is_direct: false,
    }
}

fn join() -> MemberChange {
    MemberChange::Join(MemberProfile::default())
}

fn knock() -> MemberChange {
    MemberChange::Knock(MemberProfile::default())
}

/// Brings bob's membership about: alice made the room and may do anything.
async fn bring(node: &Node, room: &RoomId, membership: &str) {
    match membership {
        "never" => {}
        "invite" => node.invite(room, alice(), bob()).await.unwrap(),
        "join" => node.join(room, bob()).await.unwrap(),
        "leave" => {
            node.join(room, bob()).await.unwrap();
            node.leave(room, bob()).await.unwrap();
        }
        "ban" => node
            .change(room, alice(), bob(), MemberChange::Ban)
            .await
            .unwrap(),
        "knock" => {
            rule(node, room, "knock").await;
            node.change(room, bob(), bob(), knock()).await.unwrap();
        }
        other => panic!("no such membership: {other}"),
    }
}

async fn rule(node: &Node, room: &RoomId, rule: &str) {
    let rule = json!({ "join_rule": rule });
    node.set(room, alice(), "m.room.join_rules", "", rule)
        .await
        .unwrap();
}

const MEMBERSHIPS: [&str; 6] = ["never", "invite", "join", "leave", "ban", "knock"];

/// What becomes of bob's membership, by where he stands; `None` when it is refused.
type Outcomes = [Option<&'static str>; 6];

async fn table(
    node: &Node,
    sender: &UserId,
    join_rule: &str,
    change: MemberChange,
    expected: Outcomes,
) {
    for (before, expected) in MEMBERSHIPS.into_iter().zip(expected) {
        let room = node.public().await;
        bring(node, &room, before).await;
        rule(node, &room, join_rule).await;
        let outcome = node.change(&room, sender, bob(), change.clone()).await;
        let claim = format!("{sender} {change:?} from {before} under {join_rule}");
        match expected {
            Some(after) => {
                outcome.unwrap_or_else(|error| panic!("{claim}: {error}"));
                assert_eq!(node.membership(&room, bob()).await, after, "{claim}");
            }
            None => {
                let refusal = match outcome {
                    Ok(()) => panic!("{claim}: was to be refused"),
                    Err(error) => error.to_string(),
                };
                let before = if before == "never" { "leave" } else { before };
                assert_eq!(
                    node.membership(&room, bob()).await,
                    before,
                    "{claim}: {refusal}"
                );
            }
        }
    }
}

conformance! {
    async fn who_may_come_in(bench) {
        let node = bench.node().await;
        let (yes, no) = (Some("join"), None);
        table(&node, bob(), "public", join(), [yes, yes, yes, yes, no, yes]).await;
        table(&node, bob(), "invite", join(), [no, yes, yes, no, no, no]).await;
        table(&node, bob(), "knock", join(), [no, yes, yes, no, no, no]).await;
        table(&node, alice(), "public", join(), [no; 6]).await;
    }

    async fn who_may_go(bench) {
        let node = bench.node().await;
        let left = Some("leave");
        let expected = [None, left, left, left, None, left];
        table(&node, bob(), "invite", MemberChange::Leave, expected).await;
    }

    async fn who_may_be_asked_in(bench) {
        let node = bench.node().await;
        let (yes, no) = (Some("invite"), None);
        table(&node, alice(), "invite", invite(), [yes, yes, no, yes, no, yes]).await;
        table(&node, carol(), "invite", invite(), [no; 6]).await;
    }

    async fn who_may_be_sent_out(bench) {
        let node = bench.node().await;
        let out = Some("leave");
        table(&node, alice(), "invite", MemberChange::Kick, [None, out, out, None, None, out]).await;
        table(&node, carol(), "invite", MemberChange::Kick, [None; 6]).await;
    }

    async fn who_may_be_banned_and_let_in_again(bench) {
        let node = bench.node().await;
        let banned = Some("ban");
        table(&node, alice(), "invite", MemberChange::Ban, [banned; 6]).await;
        table(&node, carol(), "invite", MemberChange::Ban, [None; 6]).await;
        let lifted = [None, None, None, None, Some("leave"), None];
        table(&node, alice(), "invite", MemberChange::Unban, lifted).await;
        table(&node, carol(), "invite", MemberChange::Unban, [None; 6]).await;
    }

    async fn who_may_knock(bench) {
        let node = bench.node().await;
        let (yes, no) = (Some("knock"), None);
        table(&node, bob(), "knock", knock(), [yes, no, no, yes, no, yes]).await;
        table(&node, bob(), "invite", knock(), [no, no, no, no, no, yes]).await;
    }

    async fn doing_it_twice_moves_the_log_once(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        let changes = [
            (bob(), join()),
            (bob(), MemberChange::Leave),
            (alice(), invite()),
            (alice(), MemberChange::Ban),
        ];
        for (sender, change) in changes {
            node.change(&room, sender, bob(), change.clone()).await.unwrap();
            let once = node.head().await;
            node.change(&room, sender, bob(), change.clone()).await.unwrap();
            assert_eq!(node.head().await, once, "{change:?}");
        }
    }

    async fn leaving_twice_at_once_moves_the_log_once(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        node.join(&room, bob()).await.unwrap();
        let before = node.timeline(&room).await.len();
        let (one, two) = tokio::join!(node.leave(&room, bob()), node.leave(&room, bob()));
        one.unwrap();
        two.unwrap();
        assert_eq!(node.timeline(&room).await.len(), before + 1);
    }

    async fn joining_again_shows_a_new_name_and_nothing_else(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        let named = MemberChange::Join(shown_as("Bob"));
        node.change(&room, bob(), bob(), named.clone()).await.unwrap();
        let once = node.head().await;
        node.change(&room, bob(), bob(), named).await.unwrap();
        assert_eq!(node.head().await, once);
        let renamed = MemberChange::Join(shown_as("Robert"));
        node.change(&room, bob(), bob(), renamed).await.unwrap();
        let member = node.state(&room, "m.room.member", bob().as_str()).await;
        assert_eq!(member["displayname"], "Robert");
        assert!(node.head().await > once);
    }

    async fn a_kick_tells_strangers_nothing_of_who_is_there(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        let kick = async || {
            let kick = node.change(&room, carol(), bob(), MemberChange::Kick);
            refusal(kick.await).to_string()
        };
        let absent = kick().await;
        node.join(&room, bob()).await.unwrap();
        assert_eq!(kick().await, absent);
    }

    async fn a_reason_stands_in_the_event(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        node.join(&room, bob()).await.unwrap();
        let leave = MemberChange::Leave;
        let left = node.rooms.change_member(&node.log, &room, bob(), bob(), leave, Some("lunch"));
        left.await.unwrap();
        let member = node.state(&room, "m.room.member", bob().as_str()).await;
        assert_eq!(member, json!({ "membership": "leave", "reason": "lunch" }));
        let long = "x".repeat(2_000_000);
        let back = node.rooms.change_member(&node.log, &room, bob(), bob(), join(), Some(&long));
        assert!(matches!(refusal(back.await), RoomsRefusal::TooLarge));
    }
}

conformance! {
    async fn membership_elsewhere_opens_a_restricted_room(bench) {
        let node = bench.node().await;
        let team = node.public().await;
        let room = node.create(&restricted(&team)).await.unwrap();
        assert_forbidden(node.join(&room, bob()).await);
        node.join(&team, bob()).await.unwrap();
        node.join(&room, bob()).await.unwrap();
        let member = node.state(&room, "m.room.member", bob().as_str()).await;
        assert_eq!(member["join_authorised_via_users_server"], alice().as_str());
        let once = node.head().await;
        node.join(&room, bob()).await.unwrap();
        assert_eq!(node.head().await, once);
    }

    async fn a_member_who_may_invite_vouches_and_nobody_else(bench) {
        let node = bench.node().await;
        let team = node.public().await;
        for user in [bob(), carol()] {
            node.join(&team, user).await.unwrap();
        }
        let vouched = async |room: &RoomId| {
            let member = node.state(room, "m.room.member", bob().as_str()).await;
            member.get("join_authorised_via_users_server").cloned()
        };
        // Version, who may invite, whether the room is still open when alice has left.
        let cases = [
            (RoomVersionId::V8, 0, true),
            (RoomVersionId::V8, 50, false),
            (RoomVersionId::V12, 0, true),
            (RoomVersionId::V12, 50, false),
        ];
        for (version, invite, open) in cases {
            let claim = format!("{version} {invite}");
            let mut request = restricted(&team);
            request.version = Some(version);
            request.power_levels = Some(content(json!({ "invite": invite })));
            let room = node.create(&request).await.unwrap();
            node.invite(&room, alice(), carol()).await.unwrap();
            node.join(&room, carol()).await.unwrap();
            node.join(&room, bob()).await.unwrap();
            assert_eq!(vouched(&room).await, Some(json!(alice())), "{claim}");
            for user in [bob(), alice()] {
                node.leave(&room, user).await.unwrap();
            }
            let came = node.join(&room, bob()).await;
            assert_eq!(came.is_ok(), open, "{claim}: {came:?}");
            let by = open.then(|| json!(carol()));
            assert_eq!(vouched(&room).await, by, "{claim}");
        }
        // The rule is unknown to this version.
        let mut request = restricted(&team);
        request.version = Some(RoomVersionId::V7);
        let room = node.create(&request).await.unwrap();
        assert_forbidden(node.join(&room, bob()).await);
    }

    async fn knocking_and_restricted_rooms_open_to_both(bench) {
        let node = bench.node().await;
        let team = node.public().await;
        node.join(&team, bob()).await.unwrap();
        let room = node.create(&restricted(&team)).await.unwrap();
        let allow = json!([{ "type": "m.room_membership", "room_id": team }]);
        let rule = json!({ "join_rule": "knock_restricted", "allow": allow });
        node.set(&room, alice(), "m.room.join_rules", "", rule).await.unwrap();
        assert_forbidden(node.join(&room, carol()).await);
        node.change(&room, carol(), carol(), knock()).await.unwrap();
        node.join(&room, bob()).await.unwrap();
    }

    /// The changes of one batch count in its order, whatever was read before.
    async fn a_restricted_join_counts_what_stands_before_it_in_the_log(bench) {
        let node = bench.node().await;
        let team = node.public().await;
        for _ in 0..20 {
            let room = node.create(&restricted(&team)).await.unwrap();
            node.join(&team, bob()).await.unwrap();
            let (left, came) = tokio::join!(node.leave(&team, bob()), node.join(&room, bob()));
            left.unwrap();
            assert_joined_before_leaving(&node, &team, &room, came).await;
            let (entered, came) = tokio::join!(node.join(&team, bob()), node.join(&room, bob()));
            entered.unwrap();
            if let Err(error) = came {
                assert_forbidden(Err::<(), _>(error));
                node.join(&room, bob()).await.unwrap();
            }
            node.leave(&team, bob()).await.unwrap();
        }
    }

    async fn nobody_vouches_for_themselves(bench) {
        let node = bench.node().await;
        let team = node.public().await;
        let room = node.create(&restricted(&team)).await.unwrap();
        let forged = json!({
            "membership": "join",
            "join_authorised_via_users_server": alice(),
        });
        let own = bob().as_str();
        let outcome = node.set(&room, bob(), "m.room.member", own, forged.clone()).await;
        assert_forbidden(outcome);
        assert_eq!(node.membership(&room, bob()).await, "leave");
        // Clients send the whole content again when they change a name.
        node.join(&team, bob()).await.unwrap();
        node.join(&room, bob()).await.unwrap();
        let mut renamed = forged;
        renamed["displayname"] = "Bob".into();
        node.set(&room, bob(), "m.room.member", own, renamed).await.unwrap();
    }

    async fn a_forgotten_room_is_a_strange_room(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        let forget = async |user| node.rooms.forget(&node.log, &room, user).await;
        assert!(matches!(refusal(forget(bob()).await), RoomsRefusal::NoSuchRoom(_)));
        node.join(&room, bob()).await.unwrap();
        let said = node.say(&room, bob(), "hello").await.unwrap();
        assert!(matches!(refusal(forget(bob()).await), RoomsRefusal::NotLeft));
        node.leave(&room, bob()).await.unwrap();
        node.rooms.visible_event(&room, &said, bob()).await.unwrap();

        forget(bob()).await.unwrap();
        let once = node.head().await;
        forget(bob()).await.unwrap();
        assert_eq!(node.head().await, once);
        let seen = node.rooms.visible_event(&room, &said, bob()).await;
        assert!(matches!(refusal(seen), RoomsRefusal::NoSuchEvent));
        assert_forbidden(node.rooms.readable_state(&room, bob()).await);

        node.join(&room, bob()).await.unwrap();
        node.rooms.visible_event(&room, &said, bob()).await.unwrap();
        let snapshot = node.rooms.snapshot().await.unwrap();
        let user = node.database.names().user(&snapshot, bob().as_str()).await.unwrap();
        let stands = node.rooms.memberships(&snapshot, user.unwrap()).await.unwrap();
        assert!(!stands[0].forgotten);
    }

    async fn a_former_member_reads_the_state_of_their_leaving_whatever_came_later(bench) {
        let node = bench.node().await;
        let later: [(&str, MemberChange); 2] = [("ban", MemberChange::Ban), ("invite", invite())];
        for (claim, change) in later {
            let room = node.public().await;
            let topic = async |text: &str| {
                let topic = json!({ "topic": text });
                node.set(&room, alice(), "m.room.topic", "", topic).await.unwrap();
            };
            node.join(&room, bob()).await.unwrap();
            topic("before").await;
            node.leave(&room, bob()).await.unwrap();
            topic("after").await;
            node.change(&room, alice(), bob(), change).await.unwrap();
            let read = node.rooms.readable_state_event(&room, bob(), "m.room.topic", "").await;
            let read: serde_json::Value = read.unwrap().content_as().unwrap();
            assert_eq!(read["topic"], "before", "{claim}");
            let state = node.rooms.readable_state(&room, bob()).await.unwrap();
            let texts: Vec<_> = state.iter().map(|event| event.json().to_string()).collect();
            assert!(!texts.iter().any(|text| text.contains("after")), "{claim}");
        }
    }
}
