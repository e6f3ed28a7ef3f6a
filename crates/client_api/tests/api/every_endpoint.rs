//! Every endpoint once, with its effect, on both engines: one without a story fails here.

mod account;
mod backups;
mod devices;
mod discovery;
mod encryption;
mod files;
mod kept;
mod listing;
mod members;
mod people;
mod push_rules;
mod room_state;
mod sessions;
mod timeline;
mod walk;

use self::walk::{Generation, Walk};
use crate::server::{Server, on_both_engines};

on_both_engines! {
    every_endpoint_does_what_it_says,
}

async fn every_endpoint_does_what_it_says(mut server: Server) {
    server.deployment.shared_secret = Some(account::SHARED_SECRET);
    server.deployment.allow_unauthenticated_files = true;
    server.deployment.support = Some(discovery::support());
    let node = server.node().await;
    let mut walk = Walk::through(node);
    for generation in [Generation::V3, Generation::R0] {
        walk.generation = generation;
        discovery::story(&walk).await;
        account::story(&walk).await;
        sessions::story(&walk).await;
        devices::story(&walk).await;
        kept::story(&walk).await;
        push_rules::story(&walk).await;
        files::story(&walk).await;
        room_state::story(&walk).await;
        timeline::story(&walk).await;
        members::story(&walk).await;
        people::story(&walk).await;
        listing::story(&walk).await;
        encryption::story(&walk).await;
        backups::story(&walk).await;
    }
    let missed = walk.missed();
    assert!(missed.is_empty(), "no story succeeds at:\n{missed}");
}
