//! Every endpoint once, with its effect, on both engines: one without a story fails here.

mod account;
mod appservices;
mod backups;
mod delayed_events;
mod devices;
pub(crate) mod discovery;
mod encryption;
pub(crate) mod files;
mod kept;
mod listing;
mod members;
mod peeking;
mod people;
mod push_rules;
mod refused;
mod room_state;
mod searching;
mod sessions;
mod spaces;
mod support;
mod third_party_ids;
mod timeline;
mod walk;

use self::walk::{Generation, Walk};
use crate::{
    people::contacts::turn_servers,
    previews::pages::here,
    server::{Server, on_both_engines},
};

on_both_engines! {
    every_endpoint_does_what_it_says,
}

async fn every_endpoint_does_what_it_says(mut server: Server) {
    server.deployment.shared_secret = Some(account::SHARED_SECRET);
    server.deployment.allow_unauthenticated_files = true;
    server.deployment.turn = Some(turn_servers());
    server.deployment.support = Some(discovery::support());
    server.deployment.previews = Some(here());
    server.deployment.keeps_index = true;
    server.deployment.mail = true;
    let bridge = appservices::bridge(&mut server).await;
    let node = server.node().await;
    let mut walk = Walk::through(node);
    for generation in [Generation::V3, Generation::R0] {
        walk.generation = generation;
        walk.play("discovery", discovery::story).await;
        walk.play("account", account::story).await;
        walk.play("third_party_ids", third_party_ids::story).await;
        walk.play("sessions", sessions::story).await;
        walk.play("devices", devices::story).await;
        walk.play("kept", kept::story).await;
        walk.play("push_rules", push_rules::story).await;
        walk.play("files", files::story).await;
        walk.play("room_state", room_state::story).await;
        walk.play("timeline", timeline::story).await;
        walk.play("searching", searching::story).await;
        walk.play("delayed_events", delayed_events::story).await;
        walk.play("members", members::story).await;
        walk.play("people", people::story).await;
        walk.play("listing", listing::story).await;
        walk.play("spaces", spaces::story).await;
        walk.play("peeking", peeking::story).await;
        walk.play("encryption", encryption::story).await;
        walk.play("backups", backups::story).await;
        walk.play("appservices", async |walk| {
            appservices::story(walk, &bridge).await
        })
        .await;
        walk.play("refused", refused::story).await;
    }
    let missed = walk.missed();
    assert!(missed.is_empty(), "no story succeeds at:\n{missed}");
    support::is_told(&walk.stories());
}
