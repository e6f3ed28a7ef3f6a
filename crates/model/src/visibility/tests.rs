//! Every case of the table.

use ruma::events::room::{
    history_visibility::HistoryVisibility::{self, Invited, Joined, Shared, WorldReadable},
    member::MembershipState::{self, Ban, Invite, Join, Knock, Leave},
};

use super::{Change, Sight, may_see};

const VISIBILITIES: [HistoryVisibility; 4] = [WorldReadable, Shared, Invited, Joined];
const MEMBERSHIPS: [MembershipState; 5] = [Join, Invite, Knock, Leave, Ban];

// The rules of the specification, written down a second time as the table of what is seen:
// (visibility, membership at the event, joined later).
fn table(visibility: &HistoryVisibility, membership: &MembershipState, later: bool) -> bool {
    const SEEN: &[(HistoryVisibility, MembershipState, bool)] = &[
        (WorldReadable, Join, true),
        (WorldReadable, Join, false),
        (WorldReadable, Invite, true),
        (WorldReadable, Invite, false),
        (WorldReadable, Knock, true),
        (WorldReadable, Knock, false),
        (WorldReadable, Leave, true),
        (WorldReadable, Leave, false),
        (WorldReadable, Ban, true),
        (WorldReadable, Ban, false),
        (Shared, Join, true),
        (Shared, Join, false),
        (Shared, Invite, true),
        (Shared, Knock, true),
        (Shared, Leave, true),
        (Shared, Ban, true),
        (Invited, Join, true),
        (Invited, Join, false),
        (Invited, Invite, true),
        (Invited, Invite, false),
        (Joined, Join, true),
        (Joined, Join, false),
    ];
    SEEN.iter()
        .any(|(v, m, l)| v == visibility && m == membership && *l == later)
}

fn every_case(check: impl Fn(&HistoryVisibility, &MembershipState, bool)) {
    for visibility in &VISIBILITIES {
        for membership in &MEMBERSHIPS {
            for joined_later in [true, false] {
                check(visibility, membership, joined_later);
            }
        }
    }
}

fn sees(v: &HistoryVisibility, m: &MembershipState, joined_later: bool, change: Change) -> bool {
    may_see(&Sight {
        visibility: v.clone(),
        membership: m.clone(),
        change,
        joined_later,
    })
}

#[test]
fn an_ordinary_event_is_seen_exactly_as_the_table_says() {
    every_case(|v, m, later| {
        assert_eq!(
            sees(v, m, later, Change::Nothing),
            table(v, m, later),
            "{v} {m} {later}"
        );
    });
}

#[test]
fn a_visibility_change_is_seen_when_the_visibility_before_or_after_allows() {
    every_case(|before, m, later| {
        for after in &VISIBILITIES {
            let change = Change::Visibility(after.clone());
            let expected = table(before, m, later) || table(after, m, later);
            assert_eq!(
                sees(before, m, later, change),
                expected,
                "{before} {after} {m} {later}"
            );
        }
    });
}

#[test]
fn ones_own_membership_is_seen_when_the_membership_before_or_after_allows() {
    every_case(|v, before, later| {
        for after in &MEMBERSHIPS {
            let change = Change::OwnMembership(after.clone());
            let expected = table(v, before, later) || table(v, after, later);
            assert_eq!(
                sees(v, before, later, change),
                expected,
                "{v} {before} {after} {later}"
            );
        }
    });
}

#[test]
fn an_unknown_visibility_counts_as_shared() {
    let unknown = HistoryVisibility::from("org.example.secret");
    assert!(sees(&unknown, &Leave, true, Change::Nothing));
    assert!(!sees(&unknown, &Invite, false, Change::Nothing));
}
