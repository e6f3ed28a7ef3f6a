//! The faces: what a node answers over HTTP, as one router.

use std::sync::Arc;

use anyhow::{Context, anyhow};
use axum::{Router, http::HeaderMap, middleware};
use bridging::Bridging;
use bus::Bus;
use client_api::{
    ClientApi, Settings, TurnServers,
    address::{AddressBlock, TrustedProxies},
    routes,
};
use config::{Config, EmailAddress};
use oauth::Pages;
use outbound::{Outbound, Policy};
use people::Directory;
use previews::Previews;
use push::Gateways;
use ruma::{
    OwnedUserId,
    api::client::discovery::discover_support::{self, Contact, ContactRole},
};
use sync::Sync;
use zeroize::Zeroizing;

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
    (bus, bridging): (&Bus, &Bridging),
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
    let pages = Pages::new(
        owners.accounts.clone(),
        owners.pushers.clone(),
        public_url,
        Arc::new(address_of),
    );
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
            previews: previews(config, owners, surroundings),
            pushers: owners.pushers.clone(),
            gateways: gateways(config, surroundings),
            reports: owners.reports.clone(),
            directory: Directory::new(owners.accounts.clone(), owners.rooms.clone()),
            search: owners.search.clone(),
            bridging: bridging.clone(),
            sync,
        },
    );
    let stop = ends.stop.clone();
    let clients = routes::router(api).layer(middleware::from_fn_with_state(stop, end_long_polls));
    Ok(clients
        .merge(oauth::router(pages))
        .merge(health_routes(owners.log.clone(), ends.leave.clone())))
}

/// What may be told of links, where the operator wants it told.
fn previews(config: &Config, owners: &Owners, surroundings: &Surroundings) -> Option<Previews> {
    if !config.previews.enabled {
        return None;
    }
    let policy = Policy {
        allow_private_addresses: config.previews.allow_private_addresses,
        ..Policy::default()
    };
    let clock = &surroundings.clock;
    let outbound = Outbound::new(policy, Arc::clone(clock), previews::USER_AGENT);
    Some(Previews::new(
        outbound,
        owners.media.clone(),
        Arc::clone(clock),
        config.server.name.clone(),
    ))
}

/// Which push gateways are told anything.
pub(super) fn gateways(config: &Config, surroundings: &Surroundings) -> Gateways {
    let allow_private = config.push.allow_private_addresses;
    let policy = Policy {
        allow_private_addresses: allow_private,
        ..Policy::default()
    };
    let clock = Arc::clone(&surroundings.clock);
    Gateways::new(
        Outbound::new(policy, clock, push::USER_AGENT),
        allow_private,
    )
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
        turn: turn_servers(&config.calls),
        livekit_urls: livekit_urls(&config.calls),
        support: support(&config.support),
    })
}

fn turn_servers(calls: &config::Calls) -> Option<TurnServers> {
    let secret = calls.turn_shared_secret.as_ref()?;
    let uris = calls.turn_uris.iter().map(|uri| uri.as_str().to_owned());
    Some(TurnServers {
        uris: uris.collect(),
        secret: Zeroizing::new(secret.expose().to_owned()),
        lifetime: calls.turn_lifetime,
    })
}

/// Clients append a path to these.
fn livekit_urls(calls: &config::Calls) -> Vec<String> {
    let urls = calls.livekit_urls.iter().map(config::PageUrl::as_str);
    urls.map(|url| url.trim_end_matches('/').to_owned())
        .collect()
}

fn support(support: &config::Support) -> Option<discover_support::Response> {
    let administrators = (&support.admin_email, &support.admin_matrix_id);
    let officers = (&support.security_email, &support.security_matrix_id);
    let contacts = [
        contact(ContactRole::Admin, administrators),
        contact(ContactRole::Security, officers),
    ];
    let contacts: Vec<Contact> = contacts.into_iter().flatten().collect();
    if contacts.is_empty() && support.page.is_none() {
        return None;
    }
    let mut response = discover_support::Response::with_contacts(contacts);
    response.support_page = support.page.as_ref().map(|page| page.as_str().to_owned());
    Some(response)
}

fn contact(
    role: ContactRole,
    (email, user_id): (&Option<EmailAddress>, &Option<OwnedUserId>),
) -> Option<Contact> {
    let email = email.as_ref().map(|email| email.as_str().to_owned());
    let mut contact = match (email, user_id) {
        (Some(email), _) => Contact::with_email_address(role, email),
        (None, Some(user_id)) => Contact::with_matrix_id(role, user_id.clone()),
        (None, None) => return None,
    };
    contact.matrix_id.clone_from(user_id);
    Some(contact)
}
