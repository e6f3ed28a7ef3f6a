//! The client: what is asked for, and by which way an answer comes.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Response, header};
use model::time::Clock;
use rustls::{ClientConfig, RootCertStore};
use url::Url;

use crate::{
    Answer, FetchError, Resolve, SystemResolver,
    connection::check,
    deadline::Deadline,
    exchange::{Asked, Begun, exchange},
    tls,
};

/// How many redirects are followed.
pub const MAX_REDIRECTS: usize = 5;

/// What an operator allows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Policy {
    /// Whether addresses of this machine and of private networks are fetched from; those from
    /// which nobody fetches anything are not among them.
    pub allow_private_addresses: bool,
    /// Whether any port will do: for addresses that nobody but the operator chooses.
    pub allow_any_port: bool,
}

/// What a client is made of, where a test puts other parts in place.
pub struct Parts {
    /// What is allowed.
    pub policy: Policy,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where names are looked up.
    pub resolver: Arc<dyn Resolve>,
    /// Whom protected connections trust.
    pub roots: RootCertStore,
    /// How this program calls itself.
    pub user_agent: &'static str,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Get<'a> {
    /// Where.
    pub url: &'a Url,
    /// The types of content that are wanted, as the header `Accept` says it.
    pub accept: &'static str,
    /// How long all of it may take: names, connections, redirects, and reading the body.
    pub deadline: Duration,
    /// Where redirects may lead.
    pub redirects: Redirects,
}

/// What is told to somebody.
#[derive(Clone, Copy, Debug)]
pub struct Post<'a> {
    /// Where.
    pub url: &'a Url,
    /// What, as JSON.
    pub json: &'a Bytes,
    /// How long all of it may take: names, the connection, and reading the answer.
    pub deadline: Duration,
}

/// What is asked of, or told to, a service that the operator has chosen.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// How.
    pub method: &'a Method,
    /// Where.
    pub url: &'a Url,
    /// What proves to the service who asks: a secret, for the header `Authorization`.
    pub bearer: &'a str,
    /// What is told, as JSON.
    pub json: Option<&'a Bytes>,
    /// How long all of it may take: names, the connection, and reading the answer.
    pub deadline: Duration,
}

/// Where redirects may lead, beside all that holds of every address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirects {
    /// Anywhere.
    Anywhere,
    /// Not from https to http: for a request that carries a secret, if only in its path.
    Protected,
}

/// The one way out. Cheap to clone.
#[derive(Clone)]
pub struct Outbound(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) policy: Policy,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) resolver: Arc<dyn Resolve>,
    /// Made when it is first needed, unless it was given: reading whom this machine trusts takes
    /// longer than all else that a start does.
    tls: OnceLock<Arc<ClientConfig>>,
    user_agent: &'static str,
}

impl Inner {
    /// How protected connections are made.
    pub(crate) fn tls(&self) -> &Arc<ClientConfig> {
        self.tls.get_or_init(|| tls::client(trust::system_roots()))
    }
}

impl Outbound {
    /// A client that asks the system for names and for whom to trust.
    pub fn new(policy: Policy, clock: Arc<dyn Clock>, user_agent: &'static str) -> Self {
        Self(Arc::new(Inner {
            policy,
            clock,
            resolver: Arc::new(SystemResolver::default()),
            tls: OnceLock::new(),
            user_agent,
        }))
    }

    /// A client of these parts.
    pub fn of(parts: Parts) -> Self {
        Self(Arc::new(Inner {
            policy: parts.policy,
            clock: parts.clock,
            resolver: parts.resolver,
            tls: OnceLock::from(tls::client(parts.roots)),
            user_agent: parts.user_agent,
        }))
    }

    /// Refuses an address that is never fetched, without asking anybody: what is wrong with it can
    /// be told to who chose it.
    ///
    /// # Errors
    ///
    /// [`FetchError::Scheme`], [`FetchError::Credentials`] or [`FetchError::Port`].
    pub fn check(url: &Url) -> Result<(), FetchError> {
        check(Policy::default(), url)
    }

    /// Asks for something, and gives the answer as soon as its head is here.
    pub async fn get(&self, get: Get<'_>) -> Result<Answer, FetchError> {
        let mut deadline = Deadline::new(self.0.clock.sleep(get.deadline));
        let (url, begun) = deadline.race(self.follow(&get)).await?;
        Answer::new(url, begun, deadline)
    }

    /// Tells something, and gives the answer as soon as its head is here.
    ///
    /// A redirect is an answer like any other: what is told to one is not told to another.
    pub async fn post(&self, post: Post<'_>) -> Result<Answer, FetchError> {
        let mut deadline = Deadline::new(self.0.clock.sleep(post.deadline));
        let asked = Asked {
            method: &Method::POST,
            accept: "application/json",
            bearer: None,
            json: Some(post.json),
        };
        let begun = deadline.race(self.once(post.url, asked)).await?;
        Answer::new(post.url.clone(), begun, deadline)
    }

    /// Asks a service, and gives the answer as soon as its head is here.
    ///
    /// A redirect is an answer like any other: the secret goes to one place alone.
    pub async fn ask(&self, ask: Ask<'_>) -> Result<Answer, FetchError> {
        let mut deadline = Deadline::new(self.0.clock.sleep(ask.deadline));
        let asked = Asked {
            method: ask.method,
            accept: "application/json",
            bearer: Some(ask.bearer),
            json: ask.json,
        };
        let begun = deadline.race(self.once(ask.url, asked)).await?;
        Answer::new(ask.url.clone(), begun, deadline)
    }

    async fn once(&self, url: &Url, asked: Asked<'_>) -> Result<Begun, FetchError> {
        let connection = self.connect(url).await?;
        exchange(connection, url, asked, self.0.user_agent).await
    }

    async fn follow(&self, get: &Get<'_>) -> Result<(Url, Begun), FetchError> {
        let mut url = get.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let connection = self.connect(&url).await?;
            let asked = Asked {
                method: &Method::GET,
                accept: get.accept,
                bearer: None,
                json: None,
            };
            let begun = exchange(connection, &url, asked, self.0.user_agent).await?;
            let Some(next) = next(&url, &begun.response)? else {
                return Ok((url, begun));
            };
            let is_downgrade = url.scheme() == "https" && next.scheme() == "http";
            if is_downgrade && get.redirects == Redirects::Protected {
                return Err(FetchError::Downgrade);
            }
            url = next;
        }
        Err(FetchError::TooManyRedirects)
    }
}

/// Where an answer leads, if it is a redirect.
fn next<B>(url: &Url, response: &Response<B>) -> Result<Option<Url>, FetchError> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = response.headers().get(header::LOCATION) else {
        return Ok(None);
    };
    // Some servers write letters beyond ASCII as they are.
    let location = std::str::from_utf8(location.as_bytes()).map_err(|_| FetchError::NoRedirect)?;
    let next = url.join(location).map_err(|_| FetchError::NoRedirect)?;
    Ok(Some(next))
}
