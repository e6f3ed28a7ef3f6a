//! What calls need.

pub(crate) mod get_rtc_transports;
pub(crate) mod get_turn_server;

use std::{fmt, time::Duration};

use ruma::{api::client::rtc::RtcTransport, serde::JsonObject};
use zeroize::Zeroizing;

use crate::Settings;

/// Where calls are carried, in the order in which clients should try ([MSC4143]).
///
/// [MSC4143]: https://github.com/matrix-org/matrix-spec-proposals/pull/4143
pub(crate) fn transports(settings: &Settings) -> Vec<RtcTransport> {
    let transport = |url: &String| {
        let url = ("livekit_service_url".to_owned(), url.as_str().into());
        RtcTransport::new("livekit", JsonObject::from_iter([url]))
            .expect("a LiveKit transport is described by one address")
    };
    settings.livekit_urls.iter().map(transport).collect()
}

/// The TURN servers that carry calls, and what this server shares with them.
#[derive(Clone)]
pub struct TurnServers {
    /// Where they are.
    pub uris: Vec<String>,
    /// The secret from which credentials are made.
    pub secret: Zeroizing<String>,
    /// How long credentials are good.
    pub lifetime: Duration,
}

impl fmt::Debug for TurnServers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TurnServers")
            .field("uris", &self.uris)
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}
