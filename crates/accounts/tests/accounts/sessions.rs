//! Sessions: how they begin, last and end.

use std::time::Duration;

use accounts::{AuthError, By, NewDevice, RefreshError, Session, SignInError, SignedIn};
use audit::{Act, Origin};
use ruma::user_id;
use store::Intent;

use crate::deployment::{Deployment, Node, PASSWORD, on_both_engines, on_two_nodes, somebody};

on_both_engines! {
    a_session_begins_with_the_password_and_ends_with_sign_out,
    wrong_names_passwords_and_tokens_begin_nothing_and_are_recorded,
    a_guesser_has_to_wait,
    signing_in_again_on_a_device_ends_its_session_before,
    a_login_token_serves_once_and_not_for_long,
    an_access_token_expires_where_it_can_be_refreshed,
    a_refresh_whose_answer_was_lost_can_be_asked_again,
    a_refresh_token_that_comes_back_ends_the_session,
    devices_are_listed_named_and_removed,
    signing_out_everywhere_ends_the_sessions_that_are_listed,
    a_new_password_replaces_the_old_one,
    a_closed_account_has_no_sessions_and_takes_none,
    administrators_are_made_and_unmade,
}

on_two_nodes! {
    what_one_node_ends_no_other_accepts,
    one_login_token_begins_one_session_on_two_nodes,
    of_pairs_refreshed_on_two_nodes_one_lives,
}

fn refreshable(device_id: &str) -> NewDevice {
    NewDevice {
        device_id: Some(device_id.into()),
        display_name: Some("Alice's phone".to_owned()),
        refreshable: true,
    }
}

fn plain(device_id: &str) -> NewDevice {
    NewDevice {
        refreshable: false,
        ..refreshable(device_id)
    }
}

async fn sign_in(node: &Node, device: NewDevice) -> SignedIn {
    let signed_in = node
        .accounts
        .sign_in_with_password("alice", PASSWORD, device, somebody());
    signed_in.await.unwrap()
}

async fn is_known(node: &Node, token: &str) -> bool {
    match node.accounts.authenticate(token).await {
        Ok(_) => true,
        Err(AuthError::Unknown) => false,
        Err(error) => panic!("{error}"),
    }
}

fn by(session: &Session) -> By {
    By::session(session, Origin::default())
}

async fn sign_out(node: &Node, session: &Session) {
    let mut intent = Intent::new();
    let removed = node
        .accounts
        .add_sign_out(&mut intent, session, &by(session));
    let mut committed = node.log.commit(intent).await.unwrap();
    assert_eq!(
        removed.take(&mut committed),
        std::slice::from_ref(&session.device_id)
    );
}

async fn a_session_begins_with_the_password_and_ends_with_sign_out(deployment: Deployment) {
    let node = deployment.node().await;
    node.join("alice").await;
    for name in ["alice", "@alice:example.org"] {
        let device = plain("LAPTOP");
        let signed_in = node
            .accounts
            .sign_in_with_password(name, PASSWORD, device, somebody())
            .await
            .unwrap();
        assert!(signed_in.access_token.starts_with("cnv_a_"));
        assert_eq!(signed_in.expires_in, None);
        let session = node.accounts.authenticate(&signed_in.access_token).await;
        let session = session.unwrap();
        assert_eq!(session.user_id, user_id!("@alice:example.org"));
        assert_eq!(session.device_id, "LAPTOP");
        assert!(!session.admin);
        sign_out(&node, &session).await;
        assert!(!is_known(&node, &signed_in.access_token).await);
    }
    let acts = node.acts().await;
    assert_eq!(acts[..2], [Act::SignedOut, Act::SignedIn]);
}

async fn wrong_names_passwords_and_tokens_begin_nothing_and_are_recorded(deployment: Deployment) {
    let node = deployment.node().await;
    node.join("alice").await;
    for (name, password) in [
        ("alice", "wrong horse"),
        ("alice", ""),
        ("alice", &"x".repeat(100_000)),
        ("nobody", PASSWORD),
        ("@alice:elsewhere.org", PASSWORD),
        ("", PASSWORD),
        ("a\0b", PASSWORD),
    ] {
        let refused = node
            .accounts
            .sign_in_with_password(name, password, plain("X"), somebody())
            .await;
        assert!(matches!(refused, Err(SignInError::Wrong)), "{name:?}");
    }
    let refused = node
        .accounts
        .sign_in_with_token("cnv_l_no", plain("X"), somebody())
        .await;
    assert!(matches!(refused, Err(SignInError::Wrong)));
    for device in ["", "a\0b", &"x".repeat(256)] {
        let refused = node
            .accounts
            .sign_in_with_password("alice", PASSWORD, plain(device), somebody())
            .await;
        assert!(
            matches!(refused, Err(SignInError::DeviceId(_))),
            "{device:?}"
        );
    }
    for token in ["", "cnv_a_x", &"x".repeat(5_000)] {
        assert!(!is_known(&node, token).await);
    }
    let acts = node.acts().await;
    let failed = acts.iter().filter(|act| **act == Act::SignInFailed);
    assert_eq!(failed.count(), 8);
}

async fn a_guesser_has_to_wait(deployment: Deployment) {
    let node = deployment.node().await;
    node.join("alice").await;
    let guess = |password| {
        let device = plain("X");
        node.accounts
            .sign_in_with_password("alice", password, device, somebody())
    };
    for _ in 0..10 {
        assert!(matches!(
            guess("wrong horse").await,
            Err(SignInError::Wrong)
        ));
    }
    assert!(matches!(
        guess(PASSWORD).await,
        Err(SignInError::Limited(_))
    ));
    deployment.clock.advance(Duration::from_secs(30));
    guess(PASSWORD).await.unwrap();
    guess(PASSWORD).await.unwrap();
}

async fn signing_in_again_on_a_device_ends_its_session_before(deployment: Deployment) {
    let node = deployment.node().await;
    let (_, first) = node.join("alice").await;
    let second = sign_in(&node, plain("PHONE")).await;
    assert!(!second.new_device);
    assert!(!is_known(&node, &first.access_token).await);
    assert!(is_known(&node, &second.access_token).await);
    let other = sign_in(&node, plain("LAPTOP")).await;
    assert!(other.new_device);
    assert!(is_known(&node, &second.access_token).await);
}

async fn a_login_token_serves_once_and_not_for_long(deployment: Deployment) {
    let node = deployment.node().await;
    let (session, _) = node.join("alice").await;
    let make = || node.accounts.make_login_token(session.user, by(&session));
    let sign_in = |token: String| {
        let accounts = node.accounts.clone();
        async move {
            let device = plain("NEW");
            accounts
                .sign_in_with_token(&token, device, somebody())
                .await
        }
    };
    let token = make().await.unwrap();
    let signed_in = sign_in(token.clone()).await.unwrap();
    assert!(is_known(&node, &signed_in.access_token).await);
    assert!(matches!(sign_in(token).await, Err(SignInError::Wrong)));
    let late = make().await.unwrap();
    deployment.clock.advance(accounts::LOGIN_TOKEN_LIFETIME);
    assert!(matches!(sign_in(late).await, Err(SignInError::Wrong)));
}

async fn an_access_token_expires_where_it_can_be_refreshed(deployment: Deployment) {
    let node = deployment.node().await;
    node.join("alice").await;
    let signed_in = sign_in(&node, refreshable("LAPTOP")).await;
    assert_eq!(signed_in.expires_in, Some(Duration::from_secs(300)));
    deployment.clock.advance(Duration::from_secs(299));
    assert!(is_known(&node, &signed_in.access_token).await);
    deployment.clock.advance(Duration::from_secs(1));
    let expired = node.accounts.authenticate(&signed_in.access_token).await;
    assert!(matches!(expired, Err(AuthError::Expired)));
    let refresh = signed_in.refresh_token.unwrap();
    let next = node.accounts.refresh(&refresh, somebody()).await.unwrap();
    let session = node.accounts.authenticate(&next.access_token).await;
    assert_eq!(session.unwrap().device_id, "LAPTOP");
    assert!(matches!(
        node.accounts.refresh("cnv_r_no", somebody()).await,
        Err(RefreshError::Unknown)
    ));
}

async fn a_refresh_whose_answer_was_lost_can_be_asked_again(deployment: Deployment) {
    let node = deployment.node().await;
    node.join("alice").await;
    let signed_in = sign_in(&node, refreshable("LAPTOP")).await;
    let refresh = signed_in.refresh_token.unwrap();
    let lost = node.accounts.refresh(&refresh, somebody()).await.unwrap();
    // Until a new token is used, the old ones are good.
    assert!(is_known(&node, &signed_in.access_token).await);
    let next = node.accounts.refresh(&refresh, somebody()).await.unwrap();
    assert!(!is_known(&node, &lost.access_token).await);
    assert!(is_known(&node, &next.access_token).await);
    assert!(!is_known(&node, &signed_in.access_token).await);
    // What was never used may come late without harm.
    let late = node.accounts.refresh(&lost.refresh_token, somebody()).await;
    assert!(matches!(late, Err(RefreshError::Unknown)));
    assert!(is_known(&node, &next.access_token).await);
}

async fn a_refresh_token_that_comes_back_ends_the_session(deployment: Deployment) {
    let node = deployment.node().await;
    node.join("alice").await;
    let signed_in = sign_in(&node, refreshable("LAPTOP")).await;
    let first = signed_in.refresh_token.unwrap();
    let second = node.accounts.refresh(&first, somebody()).await.unwrap();
    // Using the second refresh token uses the pair, even without its access token.
    let third = node.accounts.refresh(&second.refresh_token, somebody());
    let third = third.await.unwrap();
    assert!(is_known(&node, &third.access_token).await);
    let stolen = node.accounts.refresh(&first, somebody()).await;
    assert!(matches!(stolen, Err(RefreshError::Unknown)));
    assert!(!is_known(&node, &third.access_token).await);
    let ended = node
        .accounts
        .refresh(&third.refresh_token, somebody())
        .await;
    assert!(matches!(ended, Err(RefreshError::Unknown)));
    assert_eq!(node.acts().await[0], Act::RefreshTokenReused);
}

async fn devices_are_listed_named_and_removed(deployment: Deployment) {
    let node = deployment.node().await;
    let (session, _) = node.join("alice").await;
    let laptop = sign_in(&node, plain("LAPTOP")).await;
    let address = "192.0.2.9".parse().ok();
    node.accounts
        .note_activity(&session, address)
        .await
        .unwrap();
    let devices = node.accounts.devices_of(session.user).await.unwrap();
    let ids: Vec<&str> = devices
        .iter()
        .map(|device| device.device_id.as_str())
        .collect();
    assert_eq!(ids, ["LAPTOP", "PHONE"]);
    assert_eq!(devices[0].display_name.as_deref(), Some("Alice's phone"));
    assert_eq!(devices[0].seen_at, None);
    assert_eq!(devices[1].address.as_deref(), Some("192.0.2.9"));
    let rename = |id: &'static str, name: &str| {
        let name = Some(name.to_owned());
        node.accounts.rename_device(session.user, id.into(), name)
    };
    rename("LAPTOP", "Work").await.unwrap();
    let renamed = node.accounts.device(session.user, "LAPTOP".into()).await;
    assert_eq!(
        renamed.unwrap().unwrap().display_name.as_deref(),
        Some("Work")
    );
    assert!(rename("LAPTOP", &"x".repeat(1_025)).await.is_err());
    assert!(rename("NONE", "x").await.is_err());
    let mut intent = Intent::new();
    let whose = (session.user, &*session.user_id);
    let ids = ["LAPTOP".into(), "NONE".into()];
    let removal = node
        .accounts
        .add_device_removal(&mut intent, whose, &ids, &by(&session))
        .unwrap();
    let mut committed = node.log.commit(intent).await.unwrap();
    assert_eq!(removal.take(&mut committed), ["LAPTOP"]);
    assert!(!is_known(&node, &laptop.access_token).await);
    let gone = node.accounts.device(session.user, "LAPTOP".into()).await;
    assert_eq!(gone.unwrap(), None);
}

async fn signing_out_everywhere_ends_the_sessions_that_are_listed(deployment: Deployment) {
    let node = deployment.node().await;
    let (session, phone) = node.join("alice").await;
    let laptop = sign_in(&node, refreshable("LAPTOP")).await;
    let tablet = sign_in(&node, plain("TABLET")).await;
    let mut intent = Intent::new();
    let whose = (session.user, &*session.user_id);
    let ids = ["LAPTOP".into(), "PHONE".into(), "a\0b".into()];
    let by = by(&session);
    let removed = node
        .accounts
        .add_sign_out_everywhere(&mut intent, whose, &ids, &by);
    let mut committed = node.log.commit(intent).await.unwrap();
    assert_eq!(removed.take(&mut committed), ["LAPTOP", "PHONE"]);
    for token in [&phone.access_token, &laptop.access_token] {
        assert!(!is_known(&node, token).await);
    }
    let refresh = laptop.refresh_token.unwrap();
    assert!(node.accounts.refresh(&refresh, somebody()).await.is_err());
    assert!(is_known(&node, &tablet.access_token).await);
    assert_eq!(node.acts().await[0], Act::SignedOutEverywhere);
}

async fn a_new_password_replaces_the_old_one(deployment: Deployment) {
    let node = deployment.node().await;
    let (session, _) = node.join("alice").await;
    let owner = sign_in(&node, plain("P")).await;
    let owner = node
        .accounts
        .authenticate(&owner.access_token)
        .await
        .unwrap();
    let login_token = node.accounts.make_login_token(owner.user, by(&owner));
    let login_token = login_token.await.unwrap();
    let mut intent = Intent::new();
    let whose = (session.user, &*session.user_id);
    let by = by(&session);
    let short = node
        .accounts
        .add_password(&mut intent, whose, "short", Act::PasswordChanged, &by)
        .await;
    assert!(short.is_err());
    node.accounts
        .add_password(
            &mut intent,
            whose,
            "another horse",
            Act::PasswordChanged,
            &by,
        )
        .await
        .unwrap();
    node.log.commit(intent).await.unwrap();
    let sign_in = |password| {
        let device = plain("X");
        node.accounts
            .sign_in_with_password("alice", password, device, somebody())
    };
    assert!(matches!(sign_in(PASSWORD).await, Err(SignInError::Wrong)));
    sign_in("another horse").await.unwrap();
    let late = node
        .accounts
        .sign_in_with_token(&login_token, plain("X"), somebody());
    assert!(late.await.is_err(), "it was proved with the old password");
}

async fn a_closed_account_has_no_sessions_and_takes_none(deployment: Deployment) {
    let node = deployment.node().await;
    let (session, phone) = node.join("alice").await;
    let login_token = node.accounts.make_login_token(session.user, by(&session));
    let login_token = login_token.await.unwrap();
    for _ in 0..2 {
        let mut intent = Intent::new();
        let whose = (session.user, &*session.user_id);
        node.accounts
            .add_deactivation(&mut intent, whose, true, &by(&session));
        node.log.commit(intent).await.unwrap();
    }
    assert!(!is_known(&node, &phone.access_token).await);
    let accounts = &node.accounts;
    let refused = accounts
        .sign_in_with_password("alice", PASSWORD, plain("X"), somebody())
        .await;
    assert!(matches!(refused, Err(SignInError::Wrong)));
    let refused = accounts
        .sign_in_with_token(&login_token, plain("X"), somebody())
        .await;
    assert!(matches!(refused, Err(SignInError::Wrong)));
    let account = accounts.account(&session.user_id).await.unwrap().unwrap();
    assert!(account.deactivated_at.is_some() && !account.has_password);
    // The name stays taken: nobody may step into a closed account's rooms.
    assert!(accounts.check_available("alice").await.is_err());
}

async fn administrators_are_made_and_unmade(deployment: Deployment) {
    let node = deployment.node().await;
    let (session, phone) = node.join("alice").await;
    for admin in [true, true, false] {
        node.accounts
            .set_admin(&session.user_id, admin, By::command_line())
            .await
            .unwrap();
        let session = node.accounts.authenticate(&phone.access_token).await;
        assert_eq!(session.unwrap().admin, admin);
    }
    let nobody = user_id!("@nobody:example.org");
    let refused = node.accounts.set_admin(nobody, true, By::command_line());
    assert!(refused.await.is_err());
}

async fn what_one_node_ends_no_other_accepts(deployment: Deployment) {
    let (one, other) = (deployment.node().await, deployment.node().await);
    let (session, _) = one.join("alice").await;
    for _ in 0..8 {
        let signed_in = sign_in(&one, plain("LAPTOP")).await;
        // Both nodes now have it in memory.
        assert!(is_known(&one, &signed_in.access_token).await);
        let on_other = other.accounts.authenticate(&signed_in.access_token).await;
        sign_out(&other, &on_other.unwrap()).await;
        assert!(!is_known(&one, &signed_in.access_token).await);
        assert!(!is_known(&other, &signed_in.access_token).await);
    }
    assert_eq!(
        one.accounts.devices_of(session.user).await.unwrap().len(),
        1
    );
}

async fn one_login_token_begins_one_session_on_two_nodes(deployment: Deployment) {
    let (one, other) = (deployment.node().await, deployment.node().await);
    let (session, _) = one.join("alice").await;
    for _ in 0..8 {
        let token = one.accounts.make_login_token(session.user, by(&session));
        let token = token.await.unwrap();
        let (first, second) = tokio::join!(
            one.accounts
                .sign_in_with_token(&token, plain("A"), somebody()),
            other
                .accounts
                .sign_in_with_token(&token, plain("B"), somebody())
        );
        assert!(first.is_ok() != second.is_ok());
        assert!(matches!(first.and(second), Err(SignInError::Wrong)));
    }
}

async fn of_pairs_refreshed_on_two_nodes_one_lives(deployment: Deployment) {
    let (one, other) = (deployment.node().await, deployment.node().await);
    one.join("alice").await;
    for _ in 0..8 {
        let signed_in = sign_in(&one, refreshable("LAPTOP")).await;
        let refresh = signed_in.refresh_token.unwrap();
        let (first, second) = tokio::join!(
            one.accounts.refresh(&refresh, somebody()),
            other.accounts.refresh(&refresh, somebody())
        );
        let (first, second) = (first.unwrap(), second.unwrap());
        let (on_one, on_other) = tokio::join!(
            is_known(&one, &first.access_token),
            is_known(&other, &second.access_token)
        );
        assert!(on_one != on_other, "exactly one of the two pairs is good");
        // The presented token is spent once a successor was used: coming back, it ends all.
        assert!(one.accounts.refresh(&refresh, somebody()).await.is_err());
        for token in [&first.access_token, &second.access_token] {
            assert!(!is_known(&one, token).await && !is_known(&other, token).await);
        }
    }
}
