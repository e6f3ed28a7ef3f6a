//! One request to a service, and whether it took it.

use std::time::Duration;

use appservices::Appservice;
use bytes::Bytes;
use http::{Method, StatusCode, header};
use outbound::{Answer, Ask, FetchError};
use url::Url;

use crate::{bridging::Inner, metrics};

/// How long a service may take for one transaction.
const DEADLINE: Duration = Duration::from_secs(60);

/// Why a service has not taken a transaction.
pub(crate) struct NotTaken {
    /// What was wrong, for the administrator.
    pub(crate) fault: String,
    /// When the service wants it again.
    pub(crate) after: Option<Duration>,
}

/// Where a service answers to a path below `/_matrix/app/v1`.
pub(crate) fn address(appservice: &Appservice, path: &[&str]) -> Option<Url> {
    let mut url = appservice.url()?.clone();
    {
        let mut segments = url.path_segments_mut().ok()?;
        segments.pop_if_empty();
        segments.extend(["_matrix", "app", "v1"]).extend(path);
    }
    Some(url)
}

impl Inner {
    /// Sends a service a transaction.
    pub(crate) async fn send(
        &self,
        appservice: &Appservice,
        txn_id: &str,
        body: Bytes,
    ) -> Result<(), NotTaken> {
        let sent = self.put(appservice, txn_id, body).await;
        metrics::sent(if sent.is_ok() { "taken" } else { "failed" });
        let mut failing = self.failing.lock();
        match &sent {
            Ok(()) if failing.remove(appservice.id()) => {
                let id = appservice.id();
                tracing::info!(appservice = id, "an application service is there again");
            }
            Err(NotTaken { fault, .. }) if failing.insert(appservice.id().to_owned()) => {
                tracing::warn!(
                    appservice = appservice.id(),
                    error = fault,
                    "an application service does not take what it is sent: it waits"
                );
            }
            _ => {}
        }
        sent
    }

    async fn put(
        &self,
        appservice: &Appservice,
        txn_id: &str,
        body: Bytes,
    ) -> Result<(), NotTaken> {
        let url = address(appservice, &["transactions", txn_id]);
        let url = url.ok_or_else(|| NotTaken {
            fault: "the service has no address".to_owned(),
            after: None,
        })?;
        let ask = Ask {
            method: &Method::PUT,
            url: &url,
            bearer: appservice.hs_token(),
            json: Some(&body),
            deadline: DEADLINE,
        };
        match self.outbound.ask(ask).await {
            Ok(answer) if answer.status == StatusCode::OK => Ok(()),
            Ok(answer) => Err(NotTaken {
                fault: format!("the service answered {}", answer.status),
                after: retry_after(&answer),
            }),
            Err(error) => Err(NotTaken {
                fault: fault_of(&error),
                after: None,
            }),
        }
    }
}

fn retry_after(answer: &Answer) -> Option<Duration> {
    let value = answer.headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}

/// What an administrator reads: the sentence, and what stands behind it.
fn fault_of(error: &FetchError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
