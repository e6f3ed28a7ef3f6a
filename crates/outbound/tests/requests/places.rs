//! Where nothing is fetched from, however it is written.

use outbound::FetchError;

use crate::site::{Client, Names, Site, page};

#[tokio::test]
async fn this_machine_is_refused_in_every_spelling() {
    let site = Site::start([("/", page("secret"))]).await;
    let port = site.address.port();
    let names = Names::default().with("inside.test", &[&["127.0.0.1"]]);
    let client = Client::strict(names);
    for host in [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "%31%32%37.0.0.1",
        "１２７.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "0.0.0.0",
        "inside.test",
        "INSIDE.test",
    ] {
        let refusal = client.refusal(&format!("http://{host}:{port}/")).await;
        assert!(
            matches!(refusal, FetchError::Refused { .. }),
            "{host}: {refusal}"
        );
    }
    assert_eq!(site.asked(), [""; 0]);
}

#[tokio::test]
async fn what_the_system_knows_as_localhost_is_refused() {
    use std::sync::Arc;

    use outbound::{Get, Outbound, Policy, Redirects};
    use testkit::clock::FakeClock;

    let site = Site::start([("/", page("secret"))]).await;
    let clock = Arc::new(FakeClock::default());
    let outbound = Outbound::new(Policy::default(), clock, "Tests");
    let url = site.named("http", "localhost", "/").parse().unwrap();
    let get = Get {
        url: &url,
        accept: "*/*",
        deadline: crate::site::DEADLINE,
        redirects: Redirects::Anywhere,
    };
    let refusal = outbound.get(get).await.err().unwrap();
    assert!(matches!(refusal, FetchError::Refused { .. }), "{refusal}");
    assert_eq!(site.asked(), [""; 0]);
}

#[tokio::test]
async fn a_name_with_one_address_inside_is_refused_whatever_its_others_are() {
    let site = Site::start([("/", page("secret"))]).await;
    let names = Names::default().with("both.test", &[&["192.0.2.1", "127.0.0.1"]]);
    let names = names.with("later.test", &[&["93.184.216.34", "::1"]]);
    let client = Client::strict(names);
    for name in ["both.test", "later.test"] {
        let refusal = client.refusal(&site.named("http", name, "/")).await;
        assert!(matches!(refusal, FetchError::Refused { .. }), "{refusal}");
    }
    assert_eq!(site.asked(), [""; 0]);
}

/// The name server answers differently a moment later: nobody asks it then.
#[tokio::test]
async fn the_connection_goes_to_the_address_that_was_judged() {
    let site = Site::start([("/", page("seen"))]).await;
    let names = Names::default().with("turns.test", &[&["127.0.0.1"], &["169.254.169.254"]]);
    let client = Client::lenient(names);
    let url = site.named("http", "turns.test", "/");
    assert_eq!(client.text(&url).await, "seen");
    assert_eq!(client.names.count("turns.test"), 1);
    // The next request asks again, and is judged again.
    let refusal = client.refusal(&url).await;
    assert!(matches!(refusal, FetchError::Refused { .. }), "{refusal}");
}

#[tokio::test]
async fn credentials_of_machines_are_out_of_reach_even_where_private_addresses_are_allowed() {
    let names = Names::default().with("metadata.test", &[&["169.254.169.254"]]);
    let client = Client::lenient(names);
    for url in [
        "http://169.254.169.254/latest/meta-data/",
        "http://metadata.test/",
        "http://[fd00:ec2::254]/",
        "http://[::ffff:169.254.169.254]/",
    ] {
        let refusal = client.refusal(url).await;
        assert!(matches!(refusal, FetchError::Refused { .. }), "{refusal}");
    }
}

#[tokio::test]
async fn what_is_no_address_of_a_page_is_refused() {
    let client = Client::lenient(Names::default());
    for (url, sentence) in [
        ("ftp://pages.test/", "only http and https"),
        ("file:///etc/passwd", "only http and https"),
        ("gopher://pages.test:8080/x", "only http and https"),
        ("data:text/html,x", "only http and https"),
        ("http://somebody@pages.test/", "a name or a password"),
        ("http://:secret@pages.test/", "a name or a password"),
        ("http://pages.test:22/", "port 22"),
        ("http://pages.test:6379/", "port 6379"),
        ("https://pages.test:25/", "port 25"),
        ("http://unknown.test/", "cannot be resolved"),
    ] {
        let refusal = client.refusal(url).await.to_string();
        assert!(refusal.contains(sentence), "{url}: {refusal}");
    }
}

#[tokio::test]
async fn a_name_without_an_address_and_a_closed_port_are_told_apart_from_an_answer() {
    let site = Site::start([]).await;
    let address = site.address;
    drop(site);
    let names = Names::default().with("empty.test", &[&[]]);
    let client = Client::lenient(names);
    let refusal = client.refusal("http://empty.test/").await;
    assert!(matches!(refusal, FetchError::Unresolved(_)), "{refusal}");
    let refusal = client.refusal(&format!("http://{address}/")).await;
    assert!(matches!(refusal, FetchError::Unreachable(_)), "{refusal}");
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_does_not_answer() {
    let site = Site::start([("/", page("seen"))]).await;
    // Nothing listens at the first one.
    let names = Names::default().with("two.test", &[&["127.0.0.9", "127.0.0.1"]]);
    let client = Client::lenient(names);
    let text = client.text(&site.named("http", "two.test", "/")).await;
    assert_eq!(text, "seen");
}
