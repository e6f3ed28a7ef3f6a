//! What is done once is done once, also at two nodes.

use serde_json::json;

use super::{ADD, PASSWORD_PATH, SECRET, addresses, give, newest_token, prove, request};
use crate::server::{Server, password_of};

async fn two_nodes() -> (Server, crate::server::Node, crate::server::Node) {
    let mut server = Server::postgres().await;
    server.deployment.mail = true;
    let (one, two) = (server.node().await, server.node().await);
    (server, one, two)
}

#[tokio::test]
async fn a_proof_adds_an_address_once() {
    let (_server, one, two) = two_nodes().await;
    let ann = one.join("ann").await;
    for round in 0..8 {
        let email = format!("{round}@example.org");
        let sid = prove(&one, "account/3pid", &email).await;
        let body = json!({"sid": sid, "client_secret": SECRET, "auth": password_of("ann")});
        let body = body.to_string();
        let (first, second) = tokio::join!(
            one.ask(&ann.token, "POST", ADD, body.clone()),
            two.ask(&ann.token, "POST", ADD, body),
        );
        let mut statuses = [first.0.as_u16(), second.0.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400], "{first:?} {second:?}");
    }
    assert_eq!(addresses(&two, &ann).await.len(), 8);
}

#[tokio::test]
async fn of_two_who_proved_the_same_address_one_gets_it() {
    let (_server, one, two) = two_nodes().await;
    let (ann, bob) = (one.join("ann").await, one.join("bob").await);
    for round in 0..8 {
        let email = format!("{round}@example.org");
        let of_ann = prove(&one, "account/3pid", &email).await;
        let path = "/_matrix/client/v3/account/3pid/email/requestToken";
        let body = json!({"client_secret": "bobs", "email": email, "send_attempt": 1});
        let of_bob = two.ok("", "POST", path, body).await;
        super::confirm(&two).await;
        let body = |sid: &str, secret: &str, name: &str| {
            json!({"sid": sid, "client_secret": secret, "auth": password_of(name)}).to_string()
        };
        let of_bob = of_bob["sid"].as_str().unwrap();
        let (first, second) = tokio::join!(
            one.ask(&ann.token, "POST", ADD, body(&of_ann, SECRET, "ann")),
            two.ask(&bob.token, "POST", ADD, body(of_bob, "bobs", "bob")),
        );
        let (won, lost) = match first.0.as_u16() {
            200 => (first, second),
            _ => (second, first),
        };
        assert_eq!((won.0.as_u16(), lost.0.as_u16()), (200, 400), "{lost:?}");
        assert_eq!(lost.1["errcode"], "M_THREEPID_IN_USE");
    }
    let both = addresses(&two, &ann).await.len() + addresses(&one, &bob).await.len();
    assert_eq!(both, 8);
}

#[tokio::test]
async fn a_password_is_replaced_once_with_one_proof() {
    let (_server, one, two) = two_nodes().await;
    let ann = one.join("ann").await;
    give(&one, &ann, "ann", "ann@example.org").await;
    for round in 0..4 {
        let asked = request(&one, "account/password", "ann@example.org", round + 1).await;
        let token = newest_token(&one).await;
        // Two presses of the button are one.
        let (first, second) = tokio::join!(
            one.parts.accounts.confirm_email(&token),
            two.parts.accounts.confirm_email(&token),
        );
        assert_eq!(first.unwrap(), second.unwrap());
        let reset = |password: &str| {
            let body = json!({
                "new_password": password, "logout_devices": false,
                "auth": {
                    "type": "m.login.email.identity",
                    "threepid_creds": {"sid": asked["sid"], "client_secret": SECRET},
                },
            });
            body.to_string()
        };
        let (first, second) = tokio::join!(
            one.ask("", "POST", PASSWORD_PATH, reset("the first horse")),
            two.ask("", "POST", PASSWORD_PATH, reset("the second horse")),
        );
        let mut statuses = [first.0.as_u16(), second.0.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 401], "{first:?} {second:?}");
    }
}
