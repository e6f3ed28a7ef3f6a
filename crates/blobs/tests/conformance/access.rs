//! Buckets that cannot be used are refused with what is wrong and what to do.

use blobs::S3Options;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use testkit::{
    clock::FakeClock,
    s3::{Fate, S3Server},
};

use crate::place::{SEVERAL_PARTS, content, new_id, open, options, pieces, read};

async fn refusal(options: &S3Options) -> String {
    let refused = open(options, &FakeClock::default()).await;
    let sentence = refused.unwrap_err().to_string();
    assert!(
        !sentence.contains(&*options.secret_access_key),
        "{sentence}"
    );
    assert!(!sentence.contains('\n'), "{sentence}");
    sentence
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_cannot_be_used_is_refused_with_what_to_do() {
    let mut server = S3Server::start().await;
    let good = options(&server);
    let no_bucket = S3Options {
        bucket: "elsewhere".to_owned(),
        ..good.clone()
    };
    let wrong_key = S3Options {
        secret_access_key: "another-secret".to_owned().into(),
        ..good.clone()
    };
    let nobody = S3Options {
        access_key_id: "NOBODY".to_owned(),
        ..good.clone()
    };
    for (options, parts) in [
        (no_bucket, ["NoSuchBucket", "make the bucket first"]),
        (
            wrong_key,
            ["SignatureDoesNotMatch", "files.secret_access_key"],
        ),
        (nobody, ["403", "files.access_key_id"]),
    ] {
        let sentence = refusal(&options).await;
        for part in parts {
            assert!(sentence.contains(part), "{part}: {sentence}");
        }
    }
    server.judge(|asked| match asked.method.as_str() {
        "DELETE" => Fate::Refused(403),
        _ => Fate::Answered,
    });
    let sentence = refusal(&good).await;
    assert!(sentence.contains("must be allowed to"), "{sentence}");
    server.stop();
    let sentence = refusal(&good).await;
    assert!(sentence.contains("check that it runs"), "{sentence}");
    // Connections that speak TLS to a server that does not.
    server.restart().await;
    let protected = S3Options {
        endpoint: good.endpoint.replace("http://", "https://"),
        ..good
    };
    let sentence = refusal(&protected).await;
    assert!(sentence.contains("endpoint="), "{sentence}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_only_a_server_that_is_vouched_for_is_asked() {
    const AUTHORITY: &str = include_str!("../../../bus/tests/conformance/tls/authority.pem");
    let mut server = S3Server::start().await;
    server
        .protect(
            include_str!("../../../bus/tests/conformance/tls/nats.cert.pem"),
            include_str!("../../../bus/tests/conformance/tls/nats.key.pem"),
        )
        .await;
    let strangers = options(&server);
    let sentence = refusal(&strangers).await;
    assert!(sentence.contains("files.ca_file"), "{sentence}");
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(AUTHORITY.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let known = S3Options { roots, ..strangers };
    let blobs = open(&known, &FakeClock::default()).await.unwrap();
    let (id, plain) = (new_id(), content(SEVERAL_PARTS));
    blobs.put(id, pieces(&plain, 1_000_000)).await.unwrap();
    assert!(read(&blobs, id, 0, u64::MAX).await.unwrap() == plain);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_probe_leaves_nothing_in_the_bucket() {
    let server = S3Server::start().await;
    open(&options(&server), &FakeClock::default())
        .await
        .unwrap();
    assert!(server.objects().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blobs_stand_below_the_prefix_as_they_do_in_a_folder() {
    let server = S3Server::start().await;
    for prefix in ["", "a", "a/b-c"] {
        let options = S3Options {
            prefix: prefix.to_owned(),
            ..options(&server)
        };
        let blobs = open(&options, &FakeClock::default()).await.unwrap();
        let id = new_id();
        blobs.put(id, pieces(b"here", 4)).await.unwrap();
        let path = std::path::Path::new(prefix).join(id.path_in_folder());
        let stands = server
            .objects()
            .iter()
            .any(|object| object.ends_with(&path));
        assert!(stands, "{:?}", server.objects());
        assert_eq!(read(&blobs, id, 0, 9).await.unwrap(), b"here");
        let first_byte = u8::from_str_radix(&id.to_string()[..2], 16).unwrap();
        let listed = blobs.written_before(crate::place::LATER, first_byte).await;
        // The prefixes lie in each other, and nobody takes another's blobs for their own.
        assert_eq!(listed.unwrap(), [id]);
    }
}
