//! What the pages hang from.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use accounts::{Accounts, By};
use audit::Origin;
use axum::{extract::ConnectInfo, response::Response};
use http::{Extensions, HeaderMap, StatusCode, header::USER_AGENT};
use model::language::Language;
use pushers::Pushers;
use store::StoreError;

use crate::{language::texts_in, page::Templates};

/// Tells the address of a client from that of the peer and the headers that proxies add.
pub type AddressOf = Arc<dyn Fn(Option<IpAddr>, &HeaderMap) -> IpAddr + Send + Sync>;

/// The state of the pages. Cheap to clone.
#[derive(Clone)]
pub struct Pages {
    pub(crate) accounts: Accounts,
    pub(crate) pushers: Pushers,
    pub(crate) public_url: Arc<str>,
    pub(crate) templates: Templates,
    address_of: AddressOf,
}

impl Pages {
    /// Puts the pages together; `public_url` is where clients reach the server.
    pub fn new(
        accounts: Accounts,
        pushers: Pushers,
        public_url: &str,
        address_of: AddressOf,
    ) -> Self {
        Self {
            accounts,
            pushers,
            public_url: public_url.into(),
            templates: Templates::new(),
            address_of,
        }
    }

    /// Whoever makes a request, not known by name.
    pub(crate) fn stranger(&self, extensions: &Extensions, headers: &HeaderMap) -> By {
        let peer = extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map(|info| info.0.ip());
        let agent = headers.get(USER_AGENT);
        By::anonymous(Origin {
            address: Some((self.address_of)(peer, headers)),
            user_agent: agent
                .and_then(|agent| agent.to_str().ok())
                .map(str::to_owned),
        })
    }

    /// Says that a page failed, and in the log which.
    pub(crate) fn failed(
        &self,
        language: Language,
        page: &'static str,
        error: &StoreError,
    ) -> Response {
        let error: &dyn std::error::Error = error;
        tracing::error!(error, "{page} failed");
        let texts = texts_in(language);
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        self.templates
            .message(status, language, texts.failed_title, texts.failed)
    }
}
