//! Adding and taking away.

use accounts::emails::EMAIL_PROOF_LIFETIME;
use serde_json::{Value, json};

use super::{ADD, SECRET, add, addresses, confirm, give, mails, prove, request, with_mail};
use crate::server::{PASSWORD, Server, on_both_engines, password_of};

on_both_engines! {
    an_address_is_added_once_it_was_confirmed_and_by_its_owner,
    one_address_belongs_to_one_account_however_it_is_written,
    a_proof_is_for_one_purpose_one_client_and_one_hour,
    the_old_way_of_adding_asks_for_the_password_too,
    who_may_not_act_adds_nothing,
    closing_an_account_frees_its_addresses,
}

async fn an_address_is_added_once_it_was_confirmed_and_by_its_owner(mut server: Server) {
    let node = with_mail(&mut server).await;
    let ann = node.join("ann").await;
    let path = "/_matrix/client/v3/capabilities";
    let told = node.ok(&ann.token, "GET", path, Value::Null).await;
    assert_eq!(told["capabilities"]["m.3pid_changes"]["enabled"], true);
    let asked = request(&node, "account/3pid", "Ann@Example.org", 1).await;
    let sid = asked["sid"].as_str().unwrap();
    assert!(asked.get("submit_url").is_none());
    let (status, refused) = add(&node, &ann, "ann", sid).await;
    assert_eq!(
        (status, &refused["errcode"]),
        (400, &json!("M_THREEPID_AUTH_FAILED"))
    );
    confirm(&node).await;
    let body = json!({"sid": sid, "client_secret": SECRET}).to_string();
    let (status, challenge) = node.ask(&ann.token, "POST", ADD, body).await;
    assert_eq!(status, 401);
    assert_eq!(
        challenge["flows"],
        json!([{"stages": ["m.login.password"]}])
    );
    assert_eq!(addresses(&node, &ann).await, Vec::<String>::new());
    let confirmed_at = server.deployment.clock.clone();
    confirmed_at.advance(std::time::Duration::from_secs(60));
    assert_eq!(add(&node, &ann, "ann", sid).await.0, 200);
    let path = "/_matrix/client/v3/account/3pid";
    let listed = node.ok(&ann.token, "GET", path, Value::Null).await;
    let one = &listed["threepids"][0];
    assert_eq!(one["address"], "ann@example.org");
    let (validated, added) = (one["validated_at"].as_i64(), one["added_at"].as_i64());
    assert_eq!(added.unwrap() - validated.unwrap(), 60_000);
    // The proof was used up.
    assert_eq!(add(&node, &ann, "ann", sid).await.0, 400);

    let path = "/_matrix/client/v3/account/3pid/delete";
    let bob = node.join("bob").await;
    let body = |address: &str| json!({"medium": "email", "address": address});
    for (who, address) in [
        (&bob, "ann@example.org"),
        (&ann, "eve@example.org"),
        (&ann, "nonsense"),
    ] {
        let told = node.ok(&who.token, "POST", path, body(address)).await;
        assert_eq!(told["id_server_unbind_result"], "no-support");
        assert_eq!(addresses(&node, &ann).await, ["ann@example.org"]);
    }
    node.ok(&ann.token, "POST", path, body("ANN@example.org"))
        .await;
    assert!(addresses(&node, &ann).await.is_empty());
    // It can be added again, and by somebody else.
    give(&node, &bob, "bob", "ann@example.org").await;
}

async fn one_address_belongs_to_one_account_however_it_is_written(mut server: Server) {
    let node = with_mail(&mut server).await;
    let (ann, bob) = (node.join("ann").await, node.join("bob").await);
    // Both have proved it before either adds it.
    let of_ann = prove(&node, "account/3pid", "strauß@example.org").await;
    let path = "/_matrix/client/v3/account/3pid/email/requestToken";
    let body = json!({
        "client_secret": "another", "email": "STRAUSS@EXAMPLE.ORG", "send_attempt": 1,
    });
    let of_bob = node.ok("", "POST", path, body).await;
    confirm(&node).await;
    assert_ne!(of_bob["sid"], of_ann);
    let sent: Vec<String> = mails(&node)
        .await
        .iter()
        .map(|mail| mail.to.as_str().to_owned())
        .collect();
    assert_eq!(sent, ["strauss@example.org", "strauss@example.org"]);
    assert_eq!(add(&node, &ann, "ann", &of_ann).await.0, 200);
    let body = json!({
        "sid": of_bob["sid"], "client_secret": "another", "auth": password_of("bob"),
    });
    let refused = node
        .refused(&bob.token, "POST", ADD, &body.to_string())
        .await;
    assert_eq!(refused, (400, "M_THREEPID_IN_USE".to_owned()));
    assert!(addresses(&node, &bob).await.is_empty());
    assert_eq!(addresses(&node, &ann).await, ["strauss@example.org"]);
}

async fn a_proof_is_for_one_purpose_one_client_and_one_hour(mut server: Server) {
    let node = with_mail(&mut server).await;
    let ann = node.join("ann").await;
    let of_a_registration = prove(&node, "register", "ann@example.org").await;
    let failed = (400, json!("M_THREEPID_AUTH_FAILED"));
    let (status, refused) = add(&node, &ann, "ann", &of_a_registration).await;
    assert_eq!((status, refused["errcode"].clone()), failed);
    let sid = prove(&node, "account/3pid", "ann@example.org").await;
    assert_ne!(sid, of_a_registration);
    for (sid, secret) in [(&*sid, "another"), ("unknown", SECRET)] {
        let body = json!({"sid": sid, "client_secret": secret, "auth": password_of("ann")});
        let refused = node
            .refused(&ann.token, "POST", ADD, &body.to_string())
            .await;
        assert_eq!(refused, (400, "M_THREEPID_AUTH_FAILED".to_owned()));
    }
    server.deployment.clock.advance(EMAIL_PROOF_LIFETIME);
    let (status, refused) = add(&node, &ann, "ann", &sid).await;
    assert_eq!((status, refused["errcode"].clone()), failed);
    // A link expires too.
    request(&node, "account/3pid", "ann@example.org", 2).await;
    let token = super::newest_token(&node).await;
    server.deployment.clock.advance(EMAIL_PROOF_LIFETIME);
    let accounts = &node.parts.accounts;
    assert_eq!(accounts.confirm_email(&token).await.unwrap(), None);
    for token in ["", "cnv_m_", &"x".repeat(5_000)] {
        assert_eq!(accounts.confirm_email(token).await.unwrap(), None);
    }
    // With the old one gone, a new proof begins.
    let sid = prove(&node, "account/3pid", "ann@example.org").await;
    assert_eq!(add(&node, &ann, "ann", &sid).await.0, 200);
}

async fn the_old_way_of_adding_asks_for_the_password_too(mut server: Server) {
    let node = with_mail(&mut server).await;
    let ann = node.join("ann").await;
    let sid = prove(&node, "account/3pid", "ann@example.org").await;
    let path = "/_matrix/client/v3/account/3pid";
    let mut body = json!({"three_pid_creds": {
        "sid": sid, "client_secret": SECRET,
        "id_server": "id.example.org", "id_access_token": "x",
    }});
    let (status, _) = node.ask(&ann.token, "POST", path, body.to_string()).await;
    assert_eq!(status, 401);
    body["auth"] = password_of("ann");
    node.ok(&ann.token, "POST", path, body.clone()).await;
    assert_eq!(addresses(&node, &ann).await, ["ann@example.org"]);
    let refused = node
        .refused(&ann.token, "POST", path, &body.to_string())
        .await;
    assert_eq!(refused, (403, "M_THREEPID_AUTH_FAILED".to_owned()));
}

async fn who_may_not_act_adds_nothing(mut server: Server) {
    let node = with_mail(&mut server).await;
    let ann = node.join("ann").await;
    let sid = prove(&node, "account/3pid", "ann@example.org").await;
    let boss = node.administrator("boss").await;
    node.restrict(&boss, "suspend", &ann, true).await;
    let (status, refused) = add(&node, &ann, "ann", &sid).await;
    assert_eq!(
        (status, &refused["errcode"]),
        (403, &json!("M_USER_SUSPENDED"))
    );
}

async fn closing_an_account_frees_its_addresses(mut server: Server) {
    let node = with_mail(&mut server).await;
    let ann = node.join("ann").await;
    give(&node, &ann, "ann", "ann@example.org").await;
    give(&node, &ann, "ann", "ann@example.com").await;
    assert_eq!(addresses(&node, &ann).await.len(), 2);
    let body = json!({"auth": password_of("ann")});
    let path = "/_matrix/client/v3/account/deactivate";
    node.ok(&ann.token, "POST", path, body).await;
    let bob = node.join("bob").await;
    give(&node, &bob, "bob", "ann@example.com").await;
    let login = json!({
        "type": "m.login.password", "password": PASSWORD,
        "identifier": {"type": "m.id.thirdparty", "medium": "email", "address": "ann@example.org"},
    });
    let path = "/_matrix/client/v3/login";
    let refused = node.refused("", "POST", path, &login.to_string()).await;
    assert_eq!(refused, (403, "M_FORBIDDEN".to_owned()));
}
