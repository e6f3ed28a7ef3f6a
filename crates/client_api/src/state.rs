//! What this face hangs from: its settings, and what it asks of others.

use std::sync::Arc;

use accounts::Accounts;
use appservices::{Appservice, Appservices};
use axum::extract::FromRef;
use bridging::Bridging;
use keys::Keys;
use lifecycle::Lifecycle;
use media::Media;
use model::{entropy::Entropy, time::Clock};
use people::Directory;
use previews::Previews;
use push::Gateways;
use pushers::Pushers;
use reports::Reports;
use rooms::Rooms;
use ruma::{OwnedServerName, RoomVersionId, api::client::discovery::discover_support};
use search::Search;
use store::{Database, Log};
use sync::Sync;

use crate::{TurnServers, address::TrustedProxies, caller::Authenticate, limits::RateLimits};

/// What the operator has decided about this face.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name that ids and the addresses of files carry.
    pub server_name: OwnedServerName,
    /// The URL under which clients reach this server, without a slash at its end.
    pub public_url: String,
    /// The proxies in front of this server.
    pub trusted_proxies: TrustedProxies,
    /// Whether requests are limited.
    pub rate_limits_enabled: bool,
    /// The version that new rooms get.
    pub default_room_version: RoomVersionId,
    /// Whether files are given out without a token on the paths of before version 1.11.
    pub allow_unauthenticated_files: bool,
    /// The TURN servers, if there are any.
    pub turn: Option<TurnServers>,
    /// Where the services are that let people into calls on LiveKit, the first one first.
    pub livekit_urls: Vec<String>,
    /// Whom one may turn to, if the operator says so.
    pub support: Option<discover_support::Response>,
}

/// What this face asks of others.
#[derive(Clone)]
pub struct Owners {
    /// The log, for what needs two owners.
    pub log: Log,
    /// People, devices, sessions, and what people keep.
    pub accounts: Accounts,
    /// What asks several owners at once.
    pub lifecycle: Lifecycle,
    /// Rooms.
    pub rooms: Rooms,
    /// End-to-end encryption.
    pub keys: Keys,
    /// What people have uploaded.
    pub media: Media,
    /// What stands behind links, where the operator wants it told.
    pub previews: Option<Previews>,
    /// Where people want to be told of what notifies them.
    pub pushers: Pushers,
    /// Who tells them.
    pub gateways: Gateways,
    /// What people report.
    pub reports: Reports,
    /// Finding people.
    pub directory: Directory,
    /// Finding messages.
    pub search: Search,
    /// What application services are asked.
    pub bridging: Bridging,
    /// What changed since a token.
    pub sync: Sync,
}

/// The state of the router; a handler asks for the part that it uses, as `State<Part>`.
#[derive(Clone)]
pub struct ClientApi(Arc<Parts>);

struct Parts {
    settings: Arc<Settings>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    authenticator: Arc<dyn Authenticate>,
    limits: RateLimits,
    owners: Owners,
}

impl ClientApi {
    /// Puts the face together.
    pub fn new(
        settings: Settings,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        authenticator: Arc<dyn Authenticate>,
        owners: Owners,
    ) -> Self {
        Self(Arc::new(Parts {
            limits: RateLimits::new(settings.rate_limits_enabled, &clock),
            settings: Arc::new(settings),
            clock,
            entropy,
            authenticator,
            owners,
        }))
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    pub(crate) fn entropy(&self) -> &dyn Entropy {
        &*self.0.entropy
    }

    pub(crate) fn authenticator(&self) -> &dyn Authenticate {
        &*self.0.authenticator
    }

    /// The application service whose token it is.
    pub(crate) fn appservice_of(&self, token: &str) -> Option<&Appservice> {
        self.0.owners.accounts.appservices().by_token(token)
    }

    pub(crate) fn limits(&self) -> &RateLimits {
        &self.0.limits
    }
}

impl FromRef<ClientApi> for Arc<Settings> {
    fn from_ref(api: &ClientApi) -> Self {
        Self::clone(&api.0.settings)
    }
}

impl FromRef<ClientApi> for Log {
    fn from_ref(api: &ClientApi) -> Self {
        api.0.owners.log.clone()
    }
}

impl FromRef<ClientApi> for Database {
    fn from_ref(api: &ClientApi) -> Self {
        api.0.owners.log.database().clone()
    }
}

impl FromRef<ClientApi> for Accounts {
    fn from_ref(api: &ClientApi) -> Self {
        api.0.owners.accounts.clone()
    }
}

impl FromRef<ClientApi> for Appservices {
    fn from_ref(api: &ClientApi) -> Self {
        api.0.owners.accounts.appservices().clone()
    }
}

impl FromRef<ClientApi> for Lifecycle {
    fn from_ref(api: &ClientApi) -> Self {
        api.0.owners.lifecycle.clone()
    }
}

impl FromRef<ClientApi> for Rooms {
    fn from_ref(api: &ClientApi) -> Self {
        api.0.owners.rooms.clone()
    }
}

impl FromRef<ClientApi> for Keys {
    fn from_ref(api: &ClientApi) -> Self {
        api.0.owners.keys.clone()
    }
}

impl FromRef<ClientApi> for Media {
    fn from_ref(api: &ClientApi) -> Self {
        api.0.owners.media.clone()
    }
}

impl FromRef<ClientApi> for Option<Previews> {
    fn from_ref(api: &ClientApi) -> Self {
        api.0.owners.previews.clone()
    }
}

impl FromRef<ClientApi> for Pushers {
    fn from_ref(api: &ClientApi) -> Self {
        api.0.owners.pushers.clone()
    }
}

impl FromRef<ClientApi> for Gateways {
    fn from_ref(api: &ClientApi) -> Self {
        api.0.owners.gateways.clone()
    }
}

impl FromRef<ClientApi> for Reports {
    fn from_ref(api: &ClientApi) -> Self {
        api.0.owners.reports.clone()
    }
}

impl FromRef<ClientApi> for Directory {
    fn from_ref(api: &ClientApi) -> Self {
        api.0.owners.directory.clone()
    }
}

impl FromRef<ClientApi> for Search {
    fn from_ref(api: &ClientApi) -> Self {
        api.0.owners.search.clone()
    }
}

impl FromRef<ClientApi> for Bridging {
    fn from_ref(api: &ClientApi) -> Self {
        api.0.owners.bridging.clone()
    }
}

impl FromRef<ClientApi> for Sync {
    fn from_ref(api: &ClientApi) -> Self {
        api.0.owners.sync.clone()
    }
}

impl FromRef<ClientApi> for Arc<dyn Clock> {
    fn from_ref(api: &ClientApi) -> Self {
        Self::clone(&api.0.clock)
    }
}
