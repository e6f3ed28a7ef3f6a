//! Locked and suspended people: who decides it, under the log's lock.

use accounts::{By, RestrictError, Restriction, Session};
use audit::{Act, Origin};
use ruma::user_id;

use crate::deployment::{Deployment, Node, on_both_engines, on_two_nodes};

on_both_engines! {
    what_an_administrator_decides_is_recorded_once,
    a_session_of_before_decides_nothing_when_its_owner_has_lost_the_power,
}

on_two_nodes! {
    nobody_is_an_administrator_and_locked_at_once,
}

async fn boss(node: &Node) -> Session {
    let (session, phone) = node.join("boss").await;
    let made = node
        .accounts
        .set_admin(&session.user_id, true, By::command_line());
    made.await.unwrap();
    let session = node.accounts.authenticate(&phone.access_token).await;
    session.unwrap()
}

async fn lock(node: &Node, boss: &Session, whom: &ruma::UserId) -> Result<(), RestrictError> {
    let by = By::session(boss, Origin::default());
    node.accounts
        .restrict(boss, whom, Restriction::Lock, true, by)
        .await
}

async fn what_an_administrator_decides_is_recorded_once(deployment: Deployment) {
    let node = deployment.node().await;
    let boss = boss(&node).await;
    let (alice, phone) = node.join("alice").await;
    for (restriction, holds, act) in [
        (Restriction::Lock, true, Act::AccountLocked),
        (Restriction::Suspension, true, Act::AccountSuspended),
        (Restriction::Lock, false, Act::AccountUnlocked),
        (Restriction::Suspension, false, Act::SuspensionLifted),
    ] {
        let before = node.acts().await.len();
        for _ in 0..2 {
            let by = By::session(&boss, Origin::default());
            node.accounts
                .restrict(&boss, &alice.user_id, restriction, holds, by)
                .await
                .unwrap();
        }
        let acts = node.acts().await;
        assert_eq!((acts[0], acts.len()), (act, before + 1));
    }
    let session = node.accounts.authenticate(&phone.access_token).await;
    let session = session.unwrap();
    assert!(!session.locked && !session.suspended);
}

async fn a_session_of_before_decides_nothing_when_its_owner_has_lost_the_power(
    deployment: Deployment,
) {
    let node = deployment.node().await;
    let boss = boss(&node).await;
    let (alice, _) = node.join("alice").await;
    let unmade = node
        .accounts
        .set_admin(&boss.user_id, false, By::command_line());
    unmade.await.unwrap();
    // Authenticated before, and not asked again: the log's order decides.
    let refused = lock(&node, &boss, &alice.user_id).await;
    assert!(matches!(refused, Err(RestrictError::NotAdministrator)));
    let account = node.accounts.account(&alice.user_id).await.unwrap();
    assert!(!account.unwrap().locked);
}

async fn nobody_is_an_administrator_and_locked_at_once(deployment: Deployment) {
    let (one, other) = (deployment.node().await, deployment.node().await);
    let boss = boss(&one).await;
    one.join("alice").await;
    let alice = user_id!("@alice:example.org");
    for _ in 0..12 {
        let (locked, made) = tokio::join!(
            lock(&one, &boss, alice),
            other.accounts.set_admin(alice, true, By::command_line())
        );
        made.unwrap();
        assert!(matches!(
            locked,
            Ok(()) | Err(RestrictError::ToAdministrator)
        ));
        let account = other.accounts.account(alice).await.unwrap().unwrap();
        assert!(account.admin && !account.locked);
        let unmade = other.accounts.set_admin(alice, false, By::command_line());
        unmade.await.unwrap();
    }
}
