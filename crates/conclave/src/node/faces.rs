//! The faces: what a node answers over HTTP, as one router.

use std::sync::Arc;

use anyhow::{Context, anyhow};
use axum::{Router, http::HeaderMap, middleware};
use bus::Bus;
use client_api::{
    ClientApi, Settings,
    address::{AddressBlock, TrustedProxies},
    routes,
};
use config::Config;
use oauth::Pages;
use sync::Sync;

use super::Owners;
use crate::{
    Surroundings,
    serving::{Ends, end_long_polls, health_routes},
};

/// Puts the faces together.
pub(super) async fn build(
    config: &Config,
    public_url: &str,
    owners: &Owners,
    bus: &Bus,
    surroundings: &Surroundings,
    ends: &Ends,
) -> anyhow::Result<Router> {
    let sync = Sync::start(
        owners.log.clone(),
        owners.accounts.clone(),
        owners.rooms.clone(),
        owners.keys.clone(),
        bus.clone(),
        config.presence.enabled,
    );
    let sync = sync.await.context("syncing could not be started")?;
    let settings = settings(config, public_url)?;
    let proxies = settings.trusted_proxies.clone();
    let address_of = move |peer, headers: &HeaderMap| proxies.client_address(peer, headers).0;
    let pages = Pages::new(owners.accounts.clone(), public_url, Arc::new(address_of));
    let api = ClientApi::new(
        settings,
        Arc::clone(&surroundings.clock),
        Arc::clone(&surroundings.entropy),
        Arc::new(owners.accounts.clone()),
        client_api::Owners {
            log: owners.log.clone(),
            accounts: owners.accounts.clone(),
            lifecycle: owners.lifecycle.clone(),
            rooms: owners.rooms.clone(),
            keys: owners.keys.clone(),
            media: owners.media.clone(),
            sync,
        },
    );
    let stop = ends.stop.clone();
    let clients =
        routes::router(api).layer(middleware::from_fn_with_state(stop.clone(), end_long_polls));
    Ok(clients
        .merge(oauth::router(pages))
        .merge(health_routes(owners.log.clone(), stop)))
}

/// The link under which the first administrator is made.
pub(super) fn setup_link(public_url: &str, token: &str) -> String {
    format!("{public_url}/_conclave/setup?token={token}")
}

fn settings(config: &Config, public_url: &str) -> anyhow::Result<Settings> {
    let blocks = config.server.trusted_proxies.iter().map(|network| {
        let block: Result<AddressBlock, _> = network.to_string().parse();
        block.map_err(|error| anyhow!("server.trusted_proxies: {error}"))
    });
    Ok(Settings {
        server_name: config.server.name.clone(),
        public_url: public_url.to_owned(),
        trusted_proxies: TrustedProxies::new(blocks.collect::<anyhow::Result<_>>()?),
        rate_limits_enabled: config.rate_limits.enabled,
        default_room_version: config.rooms.default_version.clone(),
        allow_unauthenticated_files: config.files.allow_unauthenticated,
    })
}
