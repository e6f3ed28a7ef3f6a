//! What a node answers beside the Matrix API, and that several live in one process.

use conclave::{Node, Surroundings};

use crate::http::{configuration, get, node};

#[tokio::test]
async fn a_node_is_live_ready_and_speaks_matrix() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(folder.path()).await;
    let address = node.addresses()[0];
    assert_eq!(get(address, "/_conclave/health/live").await.status, 200);
    let ready = get(address, "/_conclave/health/ready").await;
    assert_eq!((ready.status, &*ready.body), (200, r#"{"status":"ready"}"#));
    let versions = get(address, "/_matrix/client/versions").await;
    assert_eq!(versions.status, 200);
    assert!(versions.body.contains("versions"));
    let unknown = get(address, "/nowhere").await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.body.contains("M_UNRECOGNIZED"), "{}", unknown.body);
    node.stop().await;
}

#[tokio::test]
async fn the_public_url_follows_the_port_that_was_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(folder.path()).await;
    let port = node.addresses()[0].port();
    assert_eq!(node.public_url(), format!("http://localhost:{port}"));
    assert!(node.setup_link().unwrap().starts_with(node.public_url()));
    let well_known = get(node.addresses()[0], "/.well-known/matrix/client").await;
    assert!(
        well_known.body.contains(node.public_url()),
        "{}",
        well_known.body
    );
    node.stop().await;
}

/// Clients append a path to these addresses.
#[tokio::test]
async fn services_for_calls_are_told_without_a_slash_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let calls = "[calls]\nlivekit_urls = [\"https://jwt.example.org/\"]\n";
    let loaded = configuration(folder.path(), calls);
    let node = Node::start(&loaded, Surroundings::of_this_machine()).await;
    let node = node.unwrap();
    let known = get(node.addresses()[0], "/.well-known/matrix/client").await;
    let known: serde_json::Value = serde_json::from_str(&known.body).unwrap();
    let foci = &known["org.matrix.msc4143.rtc_foci"];
    assert_eq!(foci[0]["livekit_service_url"], "https://jwt.example.org");
    node.stop().await;
}

#[tokio::test]
async fn metrics_are_on_their_own_listener_only() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(folder.path()).await;
    assert_eq!(get(node.addresses()[0], "/metrics").await.status, 404);
    let metrics = get(node.metrics_address().unwrap(), "/metrics").await;
    assert_eq!(metrics.status, 200);
    assert!(
        metrics
            .head
            .contains("content-type: text/plain; version=0.0.4")
    );
    assert!(metrics.body.contains("conclave_store_batches_total"));
    assert!(metrics.body.contains("conclave_build_info{version="));
    assert_documented(&metrics.body);
    node.stop().await;
}

/// Every metric of a page is in the documents.
pub(crate) fn assert_documented(page: &str) {
    let documented = include_str!("../../../../docs/telemetry.md");
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    for name in types.filter_map(|line| line.split(' ').next()) {
        assert!(
            documented.contains(&format!("`{name}`")),
            "{name} is not documented"
        );
    }
}

#[tokio::test]
async fn nodes_live_side_by_side_and_can_be_started_again() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let one = node(first.path()).await;
    let two = node(second.path()).await;
    assert!(one.is_new() && two.is_new());
    let loaded = configuration(first.path(), "");
    let again = Node::start(&loaded, Surroundings::of_this_machine()).await;
    let sentence = again.err().unwrap().to_string();
    assert!(
        sentence.starts_with("another server (process"),
        "{sentence}"
    );
    one.stop().await;
    let one = node(first.path()).await;
    assert!(!one.is_new());
    for node in [one, two] {
        let ready = get(node.addresses()[0], "/_conclave/health/ready").await;
        assert_eq!(ready.status, 200);
        node.stop().await;
    }
}

#[tokio::test]
async fn a_taken_address_is_named_and_nothing_stays_locked() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let mut loaded = configuration(folder.path(), "");
    loaded.config.server.listen = vec![address];
    let refused = Node::start(&loaded, Surroundings::of_this_machine()).await;
    let sentence = refused.err().unwrap().to_string();
    assert!(
        sentence.contains(&format!("cannot listen on {address}")),
        "{sentence}"
    );
    assert!(sentence.contains("server.listen"), "{sentence}");
    drop(taken);
    node(folder.path()).await.stop().await;
}
