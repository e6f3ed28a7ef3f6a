//! Who this server is to PostgreSQL.

use testkit::authority::Authority;

use crate::site::{Site, encryption, open, refusal};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_certificates_let_in_the_right_one_does_and_no_other() {
    let site = Site::new().await;
    let at = format!(
        "postgres://certified@127.0.0.1:{}/postgres",
        site.server.port()
    );
    let trusting = site.trusting();
    let good = site.showing(&site.authority.issue_to("certified"));
    let database = open(&format!("{at}?{trusting}&{good}")).await.unwrap();
    assert_eq!(encryption(&database).await.0, "true");
    let told = refusal(open(&format!("{at}?{trusting}")).await);
    assert!(told.contains("certificate"), "{told}");
    let somebody = site.showing(&site.authority.issue_to("somebody"));
    let told = refusal(open(&format!("{at}?{trusting}&{somebody}")).await);
    assert!(told.contains("certificate authentication failed"), "{told}");
    let foreign = site.showing(&Authority::new("another").issue_to("certified"));
    refusal(open(&format!("{at}?{trusting}&{foreign}")).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_bound_to_the_connection_on_which_it_is_shown() {
    let site = Site::new().await;
    let trusting = site.trusting();
    let bound = format!("{trusting}&channel_binding=require");
    let database = site.open(&bound).await.unwrap();
    assert_eq!(encryption(&database).await.0, "true");
    // A server that asks for no proof binds nothing.
    let at = format!(
        "postgres://postgres@127.0.0.1:{}/postgres",
        site.server.port()
    );
    open(&format!("{at}?{trusting}")).await.unwrap();
    let told = refusal(open(&format!("{at}?{bound}")).await);
    assert!(told.contains("channel binding"), "{told}");
}
