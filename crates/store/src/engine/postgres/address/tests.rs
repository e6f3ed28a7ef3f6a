//! What a URL comes to.

use std::path::Path;

use tokio_postgres::config::{Host, SslNegotiation, TargetSessionAttrs};

use super::{Address, is_protected};
use crate::StoreError;

fn read(url: &str) -> Address {
    match Address::read(url) {
        Ok(address) => address,
        Err(error) => panic!("{url}: {error}"),
    }
}

fn refusal(url: &str) -> String {
    match Address::read(url) {
        Err(StoreError::Refused(sentence)) => sentence,
        Err(error) => panic!("{url}: {error}"),
        Ok(_) => panic!("{url} is taken"),
    }
}

fn protected(url: &str) -> Vec<bool> {
    read(url).hosts.iter().map(is_protected).collect()
}

#[test]
fn each_host_keeps_what_the_url_says_of_all() {
    let url = "postgres://me:secret@a:1,b:2/chat?options=-cgeqo%3Doff&sslnegotiation=direct";
    let address = read(url);
    assert_eq!(address.hosts.len(), 2);
    for (host, (name, port)) in address.hosts.iter().zip([("a", 1), ("b", 2)]) {
        assert_eq!(host.get_hosts(), [Host::Tcp(name.to_owned())]);
        assert_eq!(host.get_ports(), [port]);
        assert_eq!(host.get_user(), Some("me"));
        assert_eq!(host.get_password(), Some(&b"secret"[..]));
        assert_eq!(host.get_dbname(), Some("chat"));
        assert_eq!(host.get_options(), Some("-cgeqo=off"));
        assert_eq!(host.get_ssl_negotiation(), SslNegotiation::Direct);
        assert_eq!(host.get_application_name(), Some("conclave"));
        assert_eq!(
            host.get_target_session_attrs(),
            TargetSessionAttrs::ReadWrite
        );
    }
}

#[test]
fn without_a_word_only_what_stays_on_this_machine_is_in_clear() {
    for (url, expected) in [
        ("postgres://me:p@127.0.0.1/chat", vec![false]),
        ("postgres://127.1.2.3:5433/chat", vec![false]),
        ("postgresql://[::1]/chat", vec![false]),
        ("postgres://localhost/chat", vec![false]),
        ("postgres://%2Fvar%2Frun%2Fpostgresql/chat", vec![false]),
        ("postgres:///chat?host=/var/run/postgresql", vec![false]),
        ("postgres://db/chat", vec![true]),
        ("postgres://10.1.0.21/chat", vec![true]),
        ("postgres://[fd00::1]/chat", vec![true]),
        ("postgres://localhost.example.org/chat", vec![true]),
        ("postgres://127.0.0.1.example.org/chat", vec![true]),
        ("postgres://127.0.0.1,db-2/chat", vec![false, true]),
        // Where the connection goes counts, not what it is called.
        ("postgres://localhost/chat?hostaddr=10.1.0.21", vec![true]),
        ("postgres://db/chat?hostaddr=127.0.0.1", vec![false]),
        ("postgres:///chat?hostaddr=10.1.0.21", vec![true]),
    ] {
        assert_eq!(protected(url), expected, "{url}");
    }
}

#[test]
fn what_is_said_counts_for_every_host_but_sockets() {
    for (url, expected) in [
        (
            "postgres://db,db-2/chat?sslmode=disable",
            vec![false, false],
        ),
        (
            "postgres://127.0.0.1,db/chat?sslmode=verify-full",
            vec![true, true],
        ),
        (
            "postgres://127.0.0.1/chat?sslmode=verify%2Dfull",
            vec![true],
        ),
        (
            "postgres://127.0.0.1/chat?%73slmode=verify-full",
            vec![true],
        ),
        (
            "postgres:///chat?host=/run&sslmode=verify-full",
            vec![false],
        ),
        ("postgres://127.0.0.1/chat?sslrootcert=/ca.pem", vec![true]),
        ("postgres://127.0.0.1/chat?sslcert=/c&sslkey=/k", vec![true]),
        (
            "postgres://127.0.0.1/chat?channel_binding=require",
            vec![true],
        ),
    ] {
        assert_eq!(protected(url), expected, "{url}");
    }
}

#[test]
fn files_are_those_of_the_url() {
    let url = "postgres://me@db/chat?connect_timeout=3&sslrootcert=%2Fetc%2Fa%40b.pem&sslcert=c.pem\
               &options=-cx%3Dy&sslkey=k.pem&sslmode=verify-full";
    let address = read(url);
    let files = address.files.unwrap();
    assert_eq!(
        files.authorities.as_deref(),
        Some(Path::new("/etc/a@b.pem"))
    );
    let identity = files.identity.unwrap();
    assert_eq!(
        identity,
        (Path::new("c.pem").into(), Path::new("k.pem").into())
    );
    assert_eq!(address.hosts[0].get_options(), Some("-cx=y"));
    let url = "postgres://db/chat?sslrootcert=system";
    assert_eq!(read(url).files.unwrap().authorities, None);
    assert!(read("postgres://db/chat?sslmode=disable").files.is_none());
}

#[test]
fn what_does_not_say_whom_one_speaks_to_is_refused() {
    for weak in ["require", "verify-ca", "prefer", "allow"] {
        for place in ["db", "127.0.0.1"] {
            let sentence = refusal(&format!("postgres://me:s3cret@{place}/chat?sslmode={weak}"));
            assert!(sentence.contains(&format!("sslmode={weak}")), "{sentence}");
            assert!(sentence.contains("sslmode=verify-full"), "{sentence}");
            assert!(!sentence.contains("s3cret"), "{sentence}");
        }
    }
}

#[test]
fn what_contradicts_itself_or_is_half_said_is_refused() {
    for (parameters, told) in [
        ("sslmode=s3cret", "verify-full or disable"),
        ("sslmode=", "without a value"),
        ("sslmode=disable&sslmode=verify-full", "twice"),
        ("sslmode=verify-full&ssl%6Dode=disable", "twice"),
        ("sslmode=disable&sslrootcert=/ca", "one of the two"),
        ("sslmode=disable&channel_binding=require", "one of the two"),
        ("sslcert=/c", "both"),
        ("sslkey=/k&sslmode=verify-full", "both"),
        ("sslrootcert=%ff", "no text"),
        ("sslcrl=/c", "sslcrl"),
        ("sslmode", "not a PostgreSQL URL"),
    ] {
        let sentence = refusal(&format!("postgres://me:s3cret@db/chat?{parameters}"));
        assert!(sentence.contains(told), "{parameters}: {sentence}");
        assert!(!sentence.contains("s3cret"), "{parameters}: {sentence}");
    }
    assert!(refusal("host=db sslmode=disable").contains("not a PostgreSQL URL"));
    assert!(refusal("mysql://db").contains("not a PostgreSQL URL"));
}
