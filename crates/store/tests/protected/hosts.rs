//! Several hosts, each with a certificate of its own.

use testkit::eventually;

use crate::site::{Site, encryption, open, refusal, url_at};

const PORT: &str = "SELECT current_setting('port')";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_one_host_is_gone_the_next_is_asked_for_its_own_name() {
    let (mut one, other) = tokio::join!(Site::at("127.0.0.1"), Site::at("localhost"));
    let both = format!("{}{}", one.authority.pem(), other.authority.pem());
    let trusting = one.trusting_in(&both);
    let [first, second] = [one.server.port(), other.server.port()];
    // It has what the first one has, as a standby does.
    let alone = format!("localhost:{second}");
    drop(open(&url_at(&alone, &trusting)).await.unwrap());
    let hosts = format!("127.0.0.1:{first},localhost:{second}");
    let database = open(&url_at(&hosts, &trusting)).await.unwrap();
    let row = database.query_opt(PORT, &[]).await.unwrap().unwrap();
    assert_eq!(row.text(0).unwrap(), first.to_string());
    one.server.crash().unwrap();
    let port = eventually("the other host answers", || async {
        let row = database.query_opt(PORT, &[]).await.ok()??;
        Some(row.text(0).unwrap().to_owned())
    })
    .await;
    assert_eq!(port, second.to_string());
    assert_eq!(encryption(&database).await.0, "true");
    // A name that only the other one has is not enough.
    let swapped = format!("127.0.0.1:{first},127.0.0.1:{second}");
    let told = refusal(open(&url_at(&swapped, &trusting)).await);
    assert!(
        told.contains("that 127.0.0.1 shows is not for that name"),
        "{told}"
    );
}
