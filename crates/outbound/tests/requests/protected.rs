//! Protected connections.

use outbound::{FetchError, Redirects};

use crate::site::{Client, Names, Site, page, redirect};

fn names() -> Names {
    let names = Names::default().with("pages.test", &[&["127.0.0.1"]]);
    names.with("others.test", &[&["127.0.0.1"]])
}

#[tokio::test]
async fn a_certificate_of_a_trusted_authority_for_the_right_name_is_accepted_alone() {
    let site = Site::start_protected([("/", page("protected"))]).await;
    let client = Client::lenient(names());
    let text = client.text(&site.named("https", "pages.test", "/")).await;
    assert_eq!(text, "protected");
    for name in ["others.test", "127.0.0.1"] {
        let refusal = client.refusal(&site.named("https", name, "/")).await;
        assert!(matches!(refusal, FetchError::Unproved(_)), "{refusal}");
    }
}

#[tokio::test]
async fn a_request_that_is_to_stay_protected_follows_no_redirect_out_of_it() {
    let plain = Site::start([("/", page("plain"))]).await;
    let down = plain.named("http", "pages.test", "/");
    let replies = [("/down", redirect(&down)), ("/round", redirect("/end"))];
    let site = Site::start_protected(replies).await;
    let client = Client::lenient(names());
    let url = site.named("https", "pages.test", "/down");
    let refusal = client.get_with(&url, Redirects::Protected).await.err();
    assert!(matches!(refusal, Some(FetchError::Downgrade)));
    assert_eq!(plain.asked(), [""; 0]);
    assert_eq!(client.text(&url).await, "plain");

    let url = site.named("https", "pages.test", "/round");
    let answer = client.get_with(&url, Redirects::Protected).await.unwrap();
    assert_eq!(answer.status, 404);
}
