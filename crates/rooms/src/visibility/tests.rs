//! The parts of a timeline that somebody sees, against the rules event by event.

use proptest::prelude::*;
use ruma::owned_user_id;

use super::*;

fn history() -> impl Strategy<Value = History> {
    let membership = prop_oneof![Just(Join), Just(Leave), Just(MembershipState::Invite)];
    let visibility = prop_oneof![
        Just(HistoryVisibility::Shared),
        Just(HistoryVisibility::Joined),
        Just(HistoryVisibility::Invited),
        Just(HistoryVisibility::WorldReadable),
    ];
    let memberships = prop::collection::btree_map(-8..30i64, membership, 0..8);
    let visibilities = prop::collection::btree_map(-8..30i64, visibility, 0..5);
    (memberships, visibilities).prop_map(|(memberships, mut visibilities)| {
        // No event is both.
        visibilities.retain(|ord, _| !memberships.contains_key(ord));
        History {
            user_id: owned_user_id!("@alice:localhost"),
            memberships: memberships.into_iter().collect(),
            visibilities: visibilities.into_iter().collect(),
        }
    })
}

proptest! {
    #[test]
    fn what_is_seen_stands_in_one_of_the_sights_and_nothing_else_does(history in history()) {
        let (sights, turns) = (history.sights(), history.turns());
        for ord in (-10..33).filter(|ord| !turns.contains(ord)) {
            let within = sights.iter().filter(|sight| sight.contains(&ord)).count();
            prop_assert_eq!(within, usize::from(history.sees(ord)), "{} {:?}", ord, &sights);
        }
        let newest_first = sights.is_sorted_by(|later, earlier| later.start > earlier.end);
        prop_assert!(newest_first, "{:?}", sights);
    }

    #[test]
    fn nothing_that_may_be_seen_is_jumped_over(history in history(), from in -10..33i64) {
        let turns = history.turns();
        let may_be_seen = |ord: &i64| history.sees(*ord) || turns.contains(ord);
        let next = (from..34).find(may_be_seen);
        prop_assert_eq!(history.next_sight(from), next);
        let last = (-40..from).rev().find(may_be_seen);
        prop_assert_eq!(history.last_sight(from), last);
    }

    #[test]
    fn what_notified_was_said_while_one_was_in_or_invited_one(history in history()) {
        let invites = |ord: i64| history.memberships.contains(&(ord, Invite));
        let notified = |ord: &i64| invites(*ord) || history.membership_before(*ord) == Join;
        let wanted: Vec<i64> = (-10..33).rev().filter(notified).collect();
        let (mut found, mut before) = (Vec::new(), 33);
        while let Some(part) = history.notified_before(before) {
            before = *part.start();
            found.extend(part.rev());
        }
        prop_assert_eq!(found, wanted);
    }
}

#[test]
fn of_one_who_came_and_went_very_often_the_oldest_sights_are_left_out() {
    let membership = |ord| (ord, if ord % 4 == 0 { Join } else { Leave });
    let history = History {
        user_id: owned_user_id!("@alice:localhost"),
        memberships: (0..400).step_by(2).map(membership).collect(),
        visibilities: [(-1, HistoryVisibility::Joined)].into(),
    };
    let sights = history.sights();
    assert_eq!(sights.len(), MOST_SIGHTS);
    assert_eq!(sights[0], 397..398);
}
