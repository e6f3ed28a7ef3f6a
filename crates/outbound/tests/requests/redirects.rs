//! Redirects: each is an address like the first.

use outbound::{FetchError, MAX_REDIRECTS};

use crate::site::{Client, Names, Site, page, redirect};

#[tokio::test]
async fn a_redirect_is_followed_and_the_answer_says_where_it_ended() {
    let replies = [
        ("/old", redirect("deep/new?x=1#part")),
        ("/deep/new?x=1", page("here")),
        ("/letters", redirect("/é")),
        ("/%C3%A9", page("letters")),
    ];
    let site = Site::start(replies).await;
    let client = Client::lenient(Names::default());
    let answer = client.get(&site.url("/old")).await.unwrap();
    assert_eq!(answer.url.path(), "/deep/new");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.essence(), "text/html");
    assert_eq!(answer.read(100).await.unwrap().bytes, "here");
    assert_eq!(client.text(&site.url("/letters")).await, "letters");
}

#[tokio::test]
async fn a_redirect_leads_nowhere_that_the_first_address_could_not() {
    let names = Names::default().with("pages.test", &[&["127.0.0.1"]]);
    let names = names.with("metadata.test", &[&["169.254.169.254"]]);
    let replies = [
        ("/address", redirect("http://169.254.169.254/latest")),
        ("/name", redirect("http://metadata.test/")),
        ("/mapped", redirect("http://[::ffff:169.254.169.254]/")),
        ("/scheme", redirect("file:///etc/passwd")),
        ("/port", redirect("http://pages.test:6379/")),
        ("/person", redirect("http://me:secret@pages.test:8080/")),
        ("/nonsense", redirect("http://[")),
        ("/here", page("here")),
    ];
    let site = Site::start(replies).await;
    let client = Client::lenient(names);
    let named = |path| site.named("http", "pages.test", path);
    assert_eq!(client.text(&named("/here")).await, "here");
    for path in ["/address", "/name", "/mapped"] {
        let refusal = client.refusal(&named(path)).await;
        assert!(matches!(refusal, FetchError::Refused { .. }), "{refusal}");
    }
    for (path, sentence) in [
        ("/scheme", "only http and https"),
        ("/port", "port 6379"),
        ("/person", "a name or a password"),
        ("/nonsense", "what is no address"),
    ] {
        let refusal = client.refusal(&named(path)).await.to_string();
        assert!(refusal.contains(sentence), "{path}: {refusal}");
    }
}

#[tokio::test]
async fn as_many_redirects_are_followed_as_the_bound_says() {
    let replies = [
        ("/6", redirect("/5")),
        ("/5", redirect("/4")),
        ("/4", redirect("/3")),
        ("/3", redirect("/2")),
        ("/2", redirect("/1")),
        ("/1", redirect("/0")),
        ("/0", page("end")),
        ("/round", redirect("/round")),
    ];
    let site = Site::start(replies).await;
    let client = Client::lenient(Names::default());
    let from = |count: usize| site.url(&format!("/{count}"));
    assert_eq!(client.text(&from(MAX_REDIRECTS)).await, "end");
    for url in [from(MAX_REDIRECTS + 1), site.url("/round")] {
        let refusal = client.refusal(&url).await;
        assert!(matches!(refusal, FetchError::TooManyRedirects), "{refusal}");
    }
}

#[tokio::test]
async fn nothing_is_sent_that_was_not_asked_for() {
    let reply =
        "HTTP/1.1 302 Found\r\nLocation: /b\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n";
    let replies = [
        ("/a", crate::site::Reply::Whole(reply.into())),
        ("/b", page("b")),
    ];
    let site = Site::start(replies).await;
    let client = Client::lenient(Names::default());
    client.text(&site.url("/a")).await;
    let address = site.address;
    let head = |path| {
        format!(
            "GET {path} HTTP/1.1\r\nhost: {address}\r\nuser-agent: Tests\r\naccept: \
             text/html\r\naccept-encoding: identity\r\nconnection: close\r\n\r\n"
        )
    };
    assert_eq!(site.asked(), [head("/a"), head("/b")]);
}
