//! Asking a service that the operator has chosen: with a secret, and on any port.

use bytes::Bytes;
use http::Method;
use outbound::{Ask, FetchError, Policy};
use url::Url;

use crate::site::{Client, DEADLINE, Names, Site, page, redirect};

fn ask<'a>(url: &'a Url, json: Option<&'a Bytes>) -> Ask<'a> {
    Ask {
        method: if json.is_some() {
            &Method::PUT
        } else {
            &Method::GET
        },
        url,
        bearer: "a-secret",
        json,
        deadline: DEADLINE,
    }
}

#[tokio::test]
async fn a_service_is_asked_with_a_proof_of_who_asks() {
    let site = Site::start([("/a%20b?c=d", page("{}"))]).await;
    let client = Client::lenient(Names::default());
    let url: Url = site.url("/a%20b?c=d").parse().unwrap();
    let json = Bytes::from_static(b"{}");
    for (json, method) in [(None, "GET"), (Some(&json), "PUT")] {
        let answer = client.outbound.ask(ask(&url, json)).await.unwrap();
        assert_eq!(answer.status, 200);
        let asked = site.asked().pop().unwrap().to_lowercase();
        let line = format!("{} /a%20b?c=d http/1.1", method.to_lowercase());
        assert!(asked.starts_with(&line), "{asked}");
        assert!(
            asked.contains("authorization: bearer a-secret\r\n"),
            "{asked}"
        );
        assert_eq!(
            asked.contains("content-type: application/json"),
            json.is_some()
        );
    }
}

#[tokio::test]
async fn the_proof_goes_to_one_place_alone() {
    let other = Site::start([("/there", page("{}"))]).await;
    let site = Site::start([("/here", redirect(&other.url("/there")))]).await;
    let client = Client::lenient(Names::default());
    let url: Url = site.url("/here").parse().unwrap();
    let answer = client.outbound.ask(ask(&url, None)).await.unwrap();
    assert_eq!(answer.status, 302);
    assert!(other.asked().is_empty());
}

#[tokio::test]
async fn any_port_will_do_where_the_operator_chooses_and_no_address_beyond_that() {
    let chosen = Policy {
        allow_private_addresses: true,
        allow_any_port: true,
    };
    let (chosen, lenient) = (
        Client::with(chosen, Names::default()),
        Client::lenient(Names::default()),
    );
    // Nobody listens there, or whoever does speaks something else.
    let url: Url = "http://127.0.0.1:1/".parse().unwrap();
    let refusal = lenient.outbound.ask(ask(&url, None)).await.err().unwrap();
    assert!(matches!(refusal, FetchError::Port(1)), "{refusal}");
    let refusal = chosen.outbound.ask(ask(&url, None)).await.err().unwrap();
    assert!(matches!(refusal, FetchError::Unreachable(_)), "{refusal}");
    for nowhere in [
        "http://169.254.169.254/",
        "http://[fe80::1]/",
        "http://0.0.0.0/",
    ] {
        let url: Url = nowhere.parse().unwrap();
        let refusal = chosen.outbound.ask(ask(&url, None)).await.err().unwrap();
        assert!(matches!(refusal, FetchError::Refused { .. }), "{refusal}");
    }
}
