//! Whose certificate is believed.

use testkit::{authority::Authority, eventually, postgres::database};
use tokio_postgres::NoTls;

use crate::site::{Site, encryption, open, refusal, url_at};

/// Any question.
const ONE: &str = "SELECT CAST(1 AS BIGINT)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_shows_who_it_is_is_spoken_to_over_tls_by_everything() {
    let site = Site::new().await;
    let database = site
        .open(&format!("sslmode=verify-full&{}", site.trusting()))
        .await
        .unwrap();
    assert_eq!(
        encryption(&database).await,
        ("true".into(), "TLSv1.3".into())
    );
    // The pool's snapshots too, while another is open.
    let snapshot = database.snapshot().await.unwrap();
    assert_eq!(encryption(&database).await.0, "true");
    drop(snapshot);
    // Whoever names an authority means TLS.
    let database = site.open(&site.trusting()).await.unwrap();
    assert_eq!(encryption(&database).await.0, "true");
    let (client, connection) = tokio_postgres::connect(&site.server.url(), NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    let clear = "SELECT COUNT(*) FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) \
                 WHERE application_name = 'conclave' AND NOT ssl";
    let clear: i64 = client.query_one(clear, &[]).await.unwrap().get(0);
    assert_eq!(clear, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_cannot_show_who_it_is_is_refused_with_the_reason() {
    let mut site = Site::new().await;
    let trusting = site.trusting();
    let another = Authority::new("another");
    let other = site.trusting_in(another.pem());
    let told = refusal(site.open(&other).await);
    assert!(
        told.contains("from an authority that is not trusted here"),
        "{told}"
    );
    assert!(told.contains("sslrootcert=FILE"), "{told}");
    // An authority of the same name is another one.
    let impostor = Authority::new("ours");
    let told = refusal(site.open(&site.trusting_in(impostor.pem())).await);
    assert!(told.contains("not trusted here"), "{told}");
    // The system has never heard of ours.
    let told = refusal(site.open("sslmode=verify-full").await);
    assert!(told.contains("not trusted here"), "{told}");

    site.trusting();
    let port = site.server.port();
    let elsewhere = url_at(&format!("db.example.org:{port}"), &trusting);
    let told = refusal(open(&format!("{elsewhere}&hostaddr=127.0.0.1")).await);
    assert!(
        told.contains("that db.example.org shows is not for that name"),
        "{told}"
    );
    let named = site.authority.issue(&["db.example.org"]);
    site.server.show(&named.certificate, &named.key).unwrap();
    eventually(
        "the certificate for another name is shown, and refused",
        || async {
            match site.open(&trusting).await {
                Ok(_) => None,
                refused => {
                    let told = refusal(refused);
                    assert!(
                        told.contains("that 127.0.0.1 shows is not for that name"),
                        "{told}"
                    );
                    Some(())
                }
            }
        },
    )
    .await;
    open(&format!("{elsewhere}&hostaddr=127.0.0.1"))
        .await
        .unwrap();

    let expired = site.authority.issue_expired(&["127.0.0.1"]);
    site.server
        .show(&expired.certificate, &expired.key)
        .unwrap();
    eventually("the old certificate is shown, and refused", || async {
        let told = refusal(site.open(&trusting).await);
        told.contains("the certificate of 127.0.0.1 has expired")
            .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_tls_is_not_spoken_to_in_clear() {
    let plain = database().await;
    for parameters in [
        "sslmode=verify-full",
        "sslmode=verify-full&sslnegotiation=direct",
    ] {
        let told = refusal(open(&format!("{}?{parameters}", plain.url)).await);
        assert!(told.contains("TLS"), "{told}");
    }
    let told = refusal(open(&format!("{}?sslmode=verify-full", plain.url)).await);
    assert!(told.contains("does not support TLS"), "{told}");
    open(&plain.url).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_read_again_and_broken_ones_change_nothing() {
    let mut site = Site::new().await;
    let database = site.open(&site.trusting()).await.unwrap();
    let again = |what: &'static str| {
        let database = database.clone();
        async move {
            eventually(what, || async {
                database.query_opt(ONE, &[]).await.ok().flatten()
            })
            .await;
        }
    };
    site.trusting_in("nonsense");
    site.server.crash().unwrap();
    site.server.restart().unwrap();
    again("it connects with what it has read before").await;

    let next = Authority::new("the next one");
    let issued = next.issue(&["127.0.0.1"]);
    site.trusting_in(next.pem());
    site.server.stop().unwrap();
    site.server.restart().unwrap();
    // The server still shows what the first authority issued.
    assert!(database.query_opt(ONE, &[]).await.is_err());
    site.server.show(&issued.certificate, &issued.key).unwrap();
    again("it connects with the new authority").await;
    assert_eq!(encryption(&database).await.0, "true");
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named() {
    for (parameters, told) in [
        (
            "sslrootcert=/nowhere/ca.pem",
            "sslrootcert of database.url (/nowhere/ca.pem)",
        ),
        (
            "sslcert=/nowhere/c.pem&sslkey=/nowhere/k.pem",
            "/nowhere/c.pem",
        ),
    ] {
        let refused = refusal(open(&url_at("127.0.0.1:1", parameters)).await);
        assert!(refused.contains(told), "{refused}");
    }
}
