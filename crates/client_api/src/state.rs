//! What this face hangs from: its settings, and what it asks of others.

use std::sync::Arc;

use axum::extract::FromRef;
use media::Media;
use model::{entropy::Entropy, time::Clock};
use ruma::{OwnedServerName, RoomVersionId};

use crate::{address::TrustedProxies, caller::Authenticate, limits::RateLimits};

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
}

/// The owners and procedures that handlers ask.
#[derive(Clone)]
pub struct Owners {
    /// What people have uploaded.
    pub media: Media,
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

    pub(crate) fn limits(&self) -> &RateLimits {
        &self.0.limits
    }
}

impl FromRef<ClientApi> for Arc<Settings> {
    fn from_ref(api: &ClientApi) -> Self {
        Self::clone(&api.0.settings)
    }
}

impl FromRef<ClientApi> for Arc<dyn Clock> {
    fn from_ref(api: &ClientApi) -> Self {
        Self::clone(&api.0.clock)
    }
}

impl FromRef<ClientApi> for Media {
    fn from_ref(api: &ClientApi) -> Self {
        api.0.owners.media.clone()
    }
}
