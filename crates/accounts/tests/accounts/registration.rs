//! Who may make an account, and with what.

use std::{mem, time::Duration};

use accounts::{
    Accounts, By, Grant, NewAccount, PresentedToken, RegisterError, RegistrationMode, SetupLink,
    SharedSecretError, SharedSecretRegistration, TokenError, TokenTerms, WeakPassword,
};
use audit::Act;
use aws_lc_rs::hmac;
use store::LocalWrite;
use zeroize::Zeroizing;

use crate::deployment::{Deployment, on_both_engines, on_two_nodes, password, somebody};

on_both_engines! {
    names_and_passwords_that_cannot_be_are_refused,
    an_open_server_takes_anybody_and_a_closed_one_nobody,
    a_registration_token_is_good_as_often_and_as_long_as_it_says,
    an_invitation_gives_its_name_once_in_every_mode,
    a_token_that_was_taken_back_is_not_valid,
    tokens_that_nobody_can_mean_are_refused,
    tokens_that_have_ended_make_room_and_others_do_not,
    the_setup_link_makes_one_administrator,
    a_setup_link_expires,
    a_nonce_of_the_shared_secret_serves_once_and_not_for_long,
}

on_two_nodes! {
    one_of_two_registrations_gets_the_name,
    one_of_two_registrations_gets_the_last_use_of_a_token,
    one_of_two_registrations_uses_the_setup_link,
    one_of_two_registrations_uses_the_nonce,
}

fn named(localpart: &str) -> NewAccount {
    NewAccount {
        localpart: Some(localpart.to_owned()),
        password: Some(password()),
        ..Default::default()
    }
}

fn token(text: &str) -> Grant {
    Grant::Token(PresentedToken::new(text))
}

async fn names_and_passwords_that_cannot_be_are_refused(deployment: Deployment) {
    let node = deployment.node().await;
    let register = |new| node.accounts.register(new, Grant::Open, somebody());
    for name in ["", "Alice", "al ice", "a:b", "a\0", &"x".repeat(250)] {
        let refused = register(named(name)).await.unwrap_err();
        assert!(matches!(refused, RegisterError::Name(_)), "{name:?}");
    }
    let short = NewAccount {
        password: Some(Zeroizing::new("short".to_owned())),
        ..named("alice")
    };
    let refused = register(short).await.unwrap_err();
    assert!(matches!(
        refused,
        RegisterError::Password(WeakPassword::Short)
    ));
    let device = NewAccount {
        device: Some(accounts::NewDevice {
            device_id: Some("x".repeat(256).into()),
            ..Default::default()
        }),
        ..named("alice")
    };
    assert!(matches!(
        register(device).await,
        Err(RegisterError::Device(_))
    ));
    node.accounts.check_available("alice").await.unwrap();
    register(named("alice")).await.unwrap();
    assert!(matches!(
        register(named("alice")).await,
        Err(RegisterError::Taken)
    ));
    let taken = node.accounts.check_available("alice").await;
    assert!(matches!(taken, Err(RegisterError::Taken)));
    let made_up = register(NewAccount::default()).await.unwrap();
    assert!(made_up.signed_in.is_none());
    assert_eq!(node.acts().await, [Act::Registered, Act::Registered]);
}

async fn an_open_server_takes_anybody_and_a_closed_one_nobody(mut deployment: Deployment) {
    for (mode, lets_in) in [
        (RegistrationMode::Closed, false),
        (RegistrationMode::Token, false),
    ] {
        deployment.registration = mode;
        let node = deployment.node().await;
        let outcome = node
            .accounts
            .register(named("bob"), Grant::Open, somebody())
            .await;
        assert_eq!(outcome.is_ok(), lets_in);
        assert!(matches!(outcome, Err(RegisterError::Closed)));
        node.log.stop().await;
    }
}

async fn a_registration_token_is_good_as_often_and_as_long_as_it_says(mut deployment: Deployment) {
    deployment.registration = RegistrationMode::Token;
    let node = deployment.node().await;
    let terms = TokenTerms {
        uses_allowed: Some(2),
        lifetime: Some(Duration::from_secs(60)),
        ..Default::default()
    };
    let make = || {
        node.accounts
            .make_registration_token(terms.clone(), By::command_line())
    };
    let made = make().await.unwrap().token;
    let register = |name, text: &str| {
        let grant = token(text);
        node.accounts.register(named(name), grant, somebody())
    };
    let wrong = register("a", "wrong").await.unwrap_err();
    assert!(matches!(wrong, RegisterError::Token));
    register("a", &made).await.unwrap();
    register("b", &made).await.unwrap();
    assert!(
        !node
            .accounts
            .is_registration_token_valid(&made)
            .await
            .unwrap()
    );
    assert!(matches!(
        register("c", &made).await,
        Err(RegisterError::Token)
    ));
    let late = make().await.unwrap().token;
    assert!(
        node.accounts
            .is_registration_token_valid(&late)
            .await
            .unwrap()
    );
    deployment.clock.advance(Duration::from_secs(60));
    assert!(matches!(
        register("c", &late).await,
        Err(RegisterError::Token)
    ));
    node.accounts.check_available("c").await.unwrap();
}

async fn an_invitation_gives_its_name_once_in_every_mode(mut deployment: Deployment) {
    deployment.registration = RegistrationMode::Closed;
    let node = deployment.node().await;
    let make = |invitation, localpart: &str| {
        let terms = TokenTerms {
            invitation,
            localpart: Some(localpart.to_owned()),
            ..Default::default()
        };
        node.accounts
            .make_registration_token(terms, By::command_line())
    };
    let register = |name, text: &str| {
        let grant = token(text);
        node.accounts.register(named(name), grant, somebody())
    };
    let plain = make(false, "carol").await.unwrap().token;
    assert!(matches!(
        register("carol", &plain).await,
        Err(RegisterError::Token)
    ));
    let invitation = make(true, "bob").await.unwrap().token;
    let other = register("eve", &invitation).await.unwrap_err();
    assert!(matches!(other, RegisterError::AnotherName));
    register("bob", &invitation).await.unwrap();
    assert!(matches!(
        register("bob2", &invitation).await,
        Err(RegisterError::Token)
    ));
    let taken = make(true, "bob").await;
    assert!(matches!(taken, Err(accounts::TokenError::Taken)));
    let acts = node.acts().await;
    assert_eq!(
        acts,
        [
            Act::Registered,
            Act::InvitationMade,
            Act::RegistrationTokenMade
        ]
    );
}

async fn tokens_that_nobody_can_mean_are_refused(deployment: Deployment) {
    let node = deployment.node().await;
    let make = |uses_allowed, lifetime| {
        let terms = TokenTerms {
            uses_allowed,
            lifetime,
            ..Default::default()
        };
        node.accounts
            .make_registration_token(terms, By::command_line())
    };
    for uses in [0, TokenTerms::MOST_USES + 1, u32::MAX] {
        let refused = make(Some(uses), None).await;
        assert!(matches!(refused, Err(TokenError::Uses)), "{uses}");
    }
    let too_long = TokenTerms::LONGEST_LIFETIME + Duration::from_millis(1);
    for lifetime in [Duration::ZERO, too_long, Duration::MAX] {
        let refused = make(None, Some(lifetime)).await;
        assert!(matches!(refused, Err(TokenError::Lifetime)), "{lifetime:?}");
    }
    assert!(node.acts().await.is_empty());
    make(
        Some(TokenTerms::MOST_USES),
        Some(TokenTerms::LONGEST_LIFETIME),
    )
    .await
    .unwrap();
}

async fn tokens_that_have_ended_make_room_and_others_do_not(mut deployment: Deployment) {
    const ADD: &str = "INSERT INTO registration_tokens (id, hash, invitation, localpart, \
         uses_allowed, uses, expires_at, created_at) VALUES ($1, $2, 0, NULL, $3, $4, $5, 0)";

    deployment.registration = RegistrationMode::Token;
    let node = deployment.node().await;
    let make = || {
        let terms = TokenTerms {
            lifetime: Some(Duration::from_secs(60)),
            ..Default::default()
        };
        node.accounts
            .make_registration_token(terms, By::command_line())
    };
    let first = make().await.unwrap();
    // All but two of those that may be: none of them ends, one is used up, one has expired.
    let most = Accounts::MOST_REGISTRATION_TOKENS;
    let mut rows = LocalWrite::new();
    for number in 1..most - 2 {
        let (uses_allowed, expires_at) = match number {
            1 => (Some(5), None),
            2 => (None, Some(1)),
            _ => (None, None),
        };
        let hash = number.to_be_bytes().repeat(4);
        let row = vec![
            (-number).into(),
            hash.into(),
            uses_allowed.into(),
            5.into(),
            expires_at.into(),
        ];
        rows = rows.and(ADD, row);
        // A few at a time: a transaction that rests is ended by the database.
        if number % 500 == 0 {
            node.log.write_local(mem::take(&mut rows)).await.unwrap();
        }
    }
    node.log.write_local(rows).await.unwrap();
    let kept = async || {
        let tokens = node.accounts.registration_tokens(i64::MIN, u16::MAX).await;
        i64::try_from(tokens.unwrap().len()).unwrap()
    };
    for expected in [most - 1, most, most - 1, most] {
        make().await.unwrap();
        assert_eq!(kept().await, expected);
    }
    let refused = make().await.err().unwrap();
    assert!(matches!(refused, TokenError::TooMany(limit) if limit == most));
    assert!(refused.to_string().contains("10000"), "{refused}");
    assert_eq!(kept().await, most);
    // What has ended makes room, and what has not stays.
    node.accounts
        .register(named("alice"), token(&first.token), somebody())
        .await
        .unwrap();
    deployment.clock.advance(Duration::from_secs(60));
    make().await.unwrap();
    assert_eq!(kept().await, most - 4);
}

async fn a_token_that_was_taken_back_is_not_valid(mut deployment: Deployment) {
    deployment.registration = RegistrationMode::Token;
    let node = deployment.node().await;
    let terms = TokenTerms::default();
    let made = node
        .accounts
        .make_registration_token(terms, By::command_line());
    let made = made.await.unwrap();
    let listed = node.accounts.registration_tokens(0, 10).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].id, listed[0].uses), (made.id, 0));
    let revoke = |id| {
        node.accounts
            .revoke_registration_token(id, By::command_line())
    };
    revoke(made.id).await.unwrap();
    assert!(
        !node
            .accounts
            .is_registration_token_valid(&made.token)
            .await
            .unwrap()
    );
    let again = revoke(made.id).await;
    assert!(matches!(again, Err(accounts::TokenError::NoSuchToken)));
}

async fn the_setup_link_makes_one_administrator(deployment: Deployment) {
    let node = deployment.node().await;
    let accounts = &node.accounts;
    let link = accounts.make_setup_link().await.unwrap().unwrap();
    let other = accounts.make_setup_link().await.unwrap().unwrap();
    assert_eq!(accounts.setup_link(&link).await.unwrap(), SetupLink::Usable);
    assert_eq!(accounts.setup_link("no").await.unwrap(), SetupLink::Unknown);
    let set_up = |link: &str, name: &str, password| {
        let (link, name) = (link.to_owned(), name.to_owned());
        async move { accounts.set_up(&link, name, password, somebody()).await }
    };
    let refused = set_up("no", "root", password()).await;
    assert!(matches!(refused, Err(RegisterError::Token)));
    let weak = set_up(&link, "root", Zeroizing::new("short".to_owned())).await;
    assert!(matches!(weak, Err(RegisterError::Password(_))));
    let made = set_up(&link, "root", password()).await.unwrap();
    assert!(
        accounts
            .account(&made.user_id)
            .await
            .unwrap()
            .unwrap()
            .admin
    );
    for link in [&link, &other] {
        assert_eq!(accounts.setup_link(link).await.unwrap(), SetupLink::Done);
        let again = set_up(link, "eve", password()).await;
        assert!(matches!(again, Err(RegisterError::Token)));
    }
    assert!(accounts.make_setup_link().await.unwrap().is_none());
    assert_eq!(node.acts().await, [Act::AdminGranted, Act::Registered]);
}

async fn a_setup_link_expires(deployment: Deployment) {
    let node = deployment.node().await;
    let link = node.accounts.make_setup_link().await.unwrap().unwrap();
    deployment.clock.advance(Duration::from_secs(7 * 86_400));
    let state = node.accounts.setup_link(&link).await.unwrap();
    assert_eq!(state, SetupLink::Unknown);
    let late = node
        .accounts
        .set_up(&link, "root".into(), password(), somebody())
        .await;
    assert!(matches!(late, Err(RegisterError::Token)));
}

const SHARED: &str = "a secret that tools know";

fn signed(nonce: &str, name: &str, secret: &str) -> SharedSecretRegistration {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    let signed = format!("{nonce}\0{name}\0{}\0notadmin", &*password());
    let mac = hmac::sign(&key, signed.as_bytes());
    let mac = mac.as_ref().iter().map(|byte| format!("{byte:02x}"));
    SharedSecretRegistration {
        nonce: nonce.to_owned(),
        username: name.to_owned(),
        display_name: Some("Tool".to_owned()),
        password: password(),
        admin: false,
        user_type: None,
        mac: mac.collect(),
    }
}

async fn a_nonce_of_the_shared_secret_serves_once_and_not_for_long(mut deployment: Deployment) {
    deployment.shared_secret = Some(SHARED);
    deployment.registration = RegistrationMode::Closed;
    let node = deployment.node().await;
    let nonce = || node.accounts.shared_secret_nonce().unwrap();
    let register = |request| {
        node.accounts
            .register_with_shared_secret(request, somebody())
    };
    let first = nonce();
    let wrong = register(signed(&first, "bot", "another secret")).await;
    assert!(matches!(wrong, Err(SharedSecretError::Mac)));
    let mut promoted = signed(&first, "bot", SHARED);
    promoted.admin = true;
    assert!(matches!(
        register(promoted).await,
        Err(SharedSecretError::Mac)
    ));
    let made = register(signed(&first, "bot", SHARED)).await.unwrap();
    assert!(made.signed_in.is_some());
    let profile = node.accounts.profile(&made.user_id).await.unwrap().unwrap();
    assert_eq!(profile["displayname"], "Tool");
    let again = register(signed(&first, "bot2", SHARED)).await;
    assert!(matches!(again, Err(SharedSecretError::Nonce)));
    let late = nonce();
    deployment.clock.advance(Duration::from_secs(60));
    let late = register(signed(&late, "bot2", SHARED)).await;
    assert!(matches!(late, Err(SharedSecretError::Nonce)));
    let invented = register(signed("invented", "bot2", SHARED)).await;
    assert!(matches!(invented, Err(SharedSecretError::Nonce)));
}

async fn one_of_two_registrations_gets_the_name(deployment: Deployment) {
    let (one, other) = (deployment.node().await, deployment.node().await);
    for round in 0..8 {
        let name = format!("user{round}");
        let (one, other) = tokio::join!(
            one.accounts.register(named(&name), Grant::Open, somebody()),
            other
                .accounts
                .register(named(&name), Grant::Open, somebody())
        );
        assert!(one.is_ok() != other.is_ok(), "{name}");
        assert!(matches!(one.and(other), Err(RegisterError::Taken)));
    }
}

async fn one_of_two_registrations_gets_the_last_use_of_a_token(mut deployment: Deployment) {
    deployment.registration = RegistrationMode::Token;
    let (one, other) = (deployment.node().await, deployment.node().await);
    for round in 0..8 {
        let terms = TokenTerms {
            uses_allowed: Some(1),
            ..Default::default()
        };
        let made = one
            .accounts
            .make_registration_token(terms, By::command_line());
        let made = made.await.unwrap().token;
        let (a, b) = (format!("a{round}"), format!("b{round}"));
        let (one, other) = tokio::join!(
            one.accounts.register(named(&a), token(&made), somebody()),
            other.accounts.register(named(&b), token(&made), somebody())
        );
        assert!(one.is_ok() != other.is_ok(), "{round}");
        assert!(matches!(one.and(other), Err(RegisterError::Token)));
    }
}

async fn one_of_two_registrations_uses_the_setup_link(deployment: Deployment) {
    let (one, other) = (deployment.node().await, deployment.node().await);
    let link = one.accounts.make_setup_link().await.unwrap().unwrap();
    let set_up = |node: &crate::deployment::Node, name: &str| {
        let (accounts, name, link) = (node.accounts.clone(), name.to_owned(), link.clone());
        async move { accounts.set_up(&link, name, password(), somebody()).await }
    };
    let (first, second) = tokio::join!(set_up(&one, "one"), set_up(&other, "other"));
    assert!(first.is_ok() != second.is_ok());
    let admins = one.accounts.list(0, 10).await.unwrap();
    assert_eq!(admins.iter().filter(|account| account.admin).count(), 1);
    assert_eq!(admins.len(), 1);
}

async fn one_of_two_registrations_uses_the_nonce(mut deployment: Deployment) {
    deployment.shared_secret = Some(SHARED);
    let (one, other) = (deployment.node().await, deployment.node().await);
    let nonce = one.accounts.shared_secret_nonce().unwrap();
    let (first, second) = tokio::join!(
        one.accounts
            .register_with_shared_secret(signed(&nonce, "one", SHARED), somebody()),
        other
            .accounts
            .register_with_shared_secret(signed(&nonce, "other", SHARED), somebody())
    );
    assert!(first.is_ok() != second.is_ok());
    assert!(matches!(first.and(second), Err(SharedSecretError::Nonce)));
}
