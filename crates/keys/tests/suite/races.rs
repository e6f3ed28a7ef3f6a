//! Two nodes on one database: what may happen once happens once.

use std::collections::BTreeSet;

use futures_util::future::join_all;

use crate::{
    bench::{Bench, Node},
    people::person,
    prekeys::{claim, one_time_keys, prekeys},
};

async fn claim_times(node: &Node, times: usize) -> Vec<String> {
    let alice = person(1);
    let claims = join_all((0..times).map(|_| claim(node, &alice))).await;
    claims.into_iter().flatten().map(|(id, _)| id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_hand_out_each_key_once_and_then_the_fallback_key() {
    let bench = Bench::postgres().await;
    let other = bench.another_node().await;
    let mut upload = prekeys(&person(1), 0..60);
    upload.fallback_keys = one_time_keys([999]);
    bench.node.keys.upload_keys(&upload, |_| {}).await.unwrap();
    let (here, there) = tokio::join!(claim_times(&bench.node, 40), claim_times(&other, 40));
    let all: Vec<String> = here.into_iter().chain(there).collect();
    assert_eq!(all.len(), 80);
    let fallback = all.iter().filter(|id| id.ends_with("K0999")).count();
    assert_eq!(fallback, 20);
    let distinct: BTreeSet<&String> = all.iter().collect();
    assert_eq!(distinct.len(), 61);
}

#[tokio::test]
async fn claims_at_the_same_time_share_no_key_on_sqlite() {
    let bench = Bench::sqlite().await;
    let upload = prekeys(&person(1), 0..30);
    bench.node.keys.upload_keys(&upload, |_| {}).await.unwrap();
    let claimed = claim_times(&bench.node, 40).await;
    let distinct: BTreeSet<&String> = claimed.iter().collect();
    assert_eq!((claimed.len(), distinct.len()), (30, 30));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_replace_cross_signing_keys_only_with_proof() {
    let bench = Bench::postgres().await;
    let other = bench.another_node().await;
    // Two devices of one user set up keys at the same time.
    let rival = crate::people::Person {
        id: person(1).id,
        ..person(2)
    };
    let (one, two) = (person(1).cross_signing(), rival.cross_signing());
    let (here, there) = tokio::join!(
        bench.node.keys.upload_cross_signing_keys(&one, |_| {}),
        other.keys.upload_cross_signing_keys(&two, |_| {})
    );
    assert!(here.is_ok() != there.is_ok(), "{here:?} {there:?}");
}
