//! Questions to services: whether they are there, and whether they have a user or an alias.

use std::time::Duration;

use appservices::Appservice;
use bytes::Bytes;
use http::{Method, StatusCode};
use outbound::{Ask, Body, FetchError};
use outbox::Lane;
use ruma::{RoomAliasId, UserId};
use serde_json::{Value, json};
use url::Url;

use crate::{Bridging, bridging::Inner, lane::ToAppservices, metrics, sending::address};

/// How long a service may take for an answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// How long what waits for a service that pings still waits. Bridges ping while they start, before
/// they have opened the device that encrypts for them: those that are made of mautrix in Python
/// take messages to it from there on, and throw away what comes earlier.
const COMING_UP: Duration = Duration::from_secs(5);

/// How much of an answer is read.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// How much of a bad answer to a ping is told to who asked for the ping.
const MAX_TOLD_CHARS: usize = 1_024;

/// Why a service was not reached.
#[derive(Debug, thiserror::Error)]
pub enum PingError {
    /// Nothing is ever sent to it.
    #[error("the application service has no address")]
    NoUrl,
    /// It answered, but not as it should.
    #[error("the application service answered {status}")]
    Status {
        /// The status.
        status: u16,
        /// The beginning of the answer.
        body: String,
    },
    /// It took too long.
    #[error("the application service did not answer in time")]
    TooSlow,
    /// There was no connection.
    #[error("the application service cannot be reached")]
    Unreachable(#[source] FetchError),
}

impl Bridging {
    /// Asks a service whether it is there, at the wish of the service itself, and tells how long
    /// it took. What waits for one that is there is put off only until it has come up.
    ///
    /// # Errors
    ///
    /// Why it was not reached.
    pub async fn ping(
        &self,
        appservice: &Appservice,
        transaction_id: Option<&str>,
    ) -> Result<Duration, PingError> {
        let url = address(appservice, &["ping"]).ok_or(PingError::NoUrl)?;
        let body = match transaction_id {
            Some(id) => json!({ "transaction_id": id }),
            None => json!({}),
        };
        let body = Bytes::from(body.to_string());
        let clock = self.inner.log.clock();
        let began = clock.uptime();
        let asked = self.inner.ask(appservice, &Method::POST, &url, Some(&body));
        let (status, body) = asked.await.map_err(|error| match error {
            FetchError::TooSlow => PingError::TooSlow,
            other => PingError::Unreachable(other),
        })?;
        let took = clock.uptime().saturating_sub(began);
        if status != StatusCode::OK {
            let body = String::from_utf8_lossy(&body.bytes);
            return Err(PingError::Status {
                status: status.as_u16(),
                body: body.chars().take(MAX_TOLD_CHARS).collect(),
            });
        }
        self.inner.failing.lock().remove(appservice.id());
        let hastened = self
            .inner
            .outbox
            .hasten(ToAppservices::NAME, appservice.id(), COMING_UP);
        if let Err(error) = hastened.await {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "what waits for a service goes when its time comes");
        }
        Ok(took)
    }

    /// Asks the services that claim a user whether there is one; who says so has made it by then.
    /// The service that wants to know it itself is not asked.
    pub async fn has_user(&self, user_id: &UserId, asking: Option<&Appservice>) -> bool {
        let services = self.inner.appservices().iter();
        let claiming =
            services.filter(|service| service.acts_for(user_id) && Some(*service) != asking);
        self.inner
            .anyone_has(claiming, &["users", user_id.as_str()])
            .await
    }

    /// Asks the services that claim an alias whether there is such a room; who says so has made it
    /// by then. The service that wants to know it itself is not asked.
    pub async fn has_alias(&self, alias: &RoomAliasId, asking: Option<&Appservice>) -> bool {
        let services = self.inner.appservices().iter();
        let claiming =
            services.filter(|service| service.claims_alias(alias) && Some(*service) != asking);
        self.inner
            .anyone_has(claiming, &["rooms", alias.as_str()])
            .await
    }
}

impl Inner {
    async fn anyone_has<'a>(
        &self,
        services: impl Iterator<Item = &'a Appservice>,
        path: &[&str],
    ) -> bool {
        for service in services {
            let Some(url) = address(service, path) else {
                continue;
            };
            if self.question(service, &url).await.is_some() {
                return true;
            }
        }
        false
    }

    /// What a service answers with 200, if it does: JSON, or nothing of use.
    ///
    /// When too much is asked already, it is not asked.
    pub(crate) async fn question(&self, appservice: &Appservice, url: &Url) -> Option<Value> {
        let Ok(_permit) = self.questions.try_acquire() else {
            metrics::asked("busy");
            return None;
        };
        match self.ask(appservice, &Method::GET, url, None).await {
            Ok((StatusCode::OK, body)) => {
                metrics::asked("yes");
                Some(serde_json::from_slice(&body.bytes).unwrap_or(Value::Null))
            }
            Ok(_) => {
                metrics::asked("no");
                None
            }
            Err(error) => {
                metrics::asked("unreachable");
                let id = appservice.id();
                let error: &dyn std::error::Error = &error;
                tracing::debug!(
                    appservice = id,
                    error,
                    "an application service is not there"
                );
                None
            }
        }
    }

    async fn ask(
        &self,
        appservice: &Appservice,
        method: &Method,
        url: &Url,
        json: Option<&Bytes>,
    ) -> Result<(StatusCode, Body), FetchError> {
        let ask = Ask {
            method,
            url,
            bearer: appservice.hs_token(),
            json,
            deadline: DEADLINE,
        };
        let answer = self.outbound.ask(ask).await?;
        let status = answer.status;
        let body = answer.read(MAX_ANSWER_BYTES).await?;
        Ok((status, body))
    }
}
