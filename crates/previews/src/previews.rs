//! Previews: who may ask what, and how many at once.

use std::{sync::Arc, time::Duration};

use futures_util::{
    FutureExt,
    future::{Either, select},
};
use media::Media;
use model::time::Clock;
use outbound::Outbound;
use ruma::OwnedServerName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

use crate::{
    Preview,
    memory::{Found, Memory, Outcome},
    metrics,
};

/// How the server calls itself where it asks for pages. Some give what we look for to programs
/// that say "bot" only.
pub const USER_AGENT: &str = "Conclave (bot; previews of links)";

/// The longest address that is asked for.
pub const MAX_ADDRESS_BYTES: usize = 4_096;

/// How many pages are asked for at once.
const AT_ONCE: usize = 16;

/// How long one waits for a turn.
const TURN_WITHIN: Duration = Duration::from_secs(10);

/// Why there is no preview.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PreviewError {
    /// It is no address.
    #[error("the url is not the address of a page")]
    NotAnAddress,
    /// It is longer than any that is asked for.
    #[error("the url is longer than {MAX_ADDRESS_BYTES} bytes")]
    TooLong,
    /// It is an address that is never asked for.
    #[error("the url is refused: {0}")]
    Refused(String),
    /// Nothing was found there, for a reason that is not told.
    #[error("nothing is known of this url")]
    Missing,
    /// Too many others are asking.
    #[error("too many pages are asked for at once")]
    Busy {
        /// When to ask again.
        retry_after: Duration,
    },
}

/// What stands behind links. Cheap to clone.
#[derive(Clone)]
pub struct Previews {
    pub(crate) outbound: Outbound,
    pub(crate) media: Media,
    pub(crate) server_name: OwnedServerName,
    clock: Arc<dyn Clock>,
    memory: Arc<Memory>,
    turns: Arc<Semaphore>,
}

impl Previews {
    /// Makes previews of what this client may ask for.
    pub fn new(
        outbound: Outbound,
        media: Media,
        clock: Arc<dyn Clock>,
        server_name: OwnedServerName,
    ) -> Self {
        Self {
            outbound,
            media,
            server_name,
            clock,
            memory: Arc::new(Memory::new()),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Tells of a page. It is asked once for all who want to know at the same time, and not again
    /// within an hour.
    pub async fn preview(&self, address: &str) -> Result<Arc<Preview>, PreviewError> {
        let url = parsed(address)?;
        let previews = self.clone();
        let ask = || {
            let url = url.clone();
            async move { previews.ask_in_turn(&url).await }.boxed()
        };
        match self.memory.find(&url, self.clock.uptime(), ask) {
            Found::Known(outcome) => {
                metrics::remembered();
                outcome
            }
            Found::Asked(question) => question.await,
        }
    }

    async fn ask_in_turn(&self, url: &Url) -> Outcome {
        let outcome = match self.turn().await {
            Some(_turn) => self.fetch(url).await,
            None => Err(PreviewError::Busy {
                retry_after: TURN_WITHIN,
            }),
        };
        metrics::asked(&outcome.as_ref().map(|_| ()));
        self.memory.keep(url, self.clock.uptime(), &outcome);
        outcome
    }

    async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        let turn = Box::pin(Arc::clone(&self.turns).acquire_owned());
        match select(turn, self.clock.sleep(TURN_WITHIN)).await {
            Either::Left((turn, _)) => turn.ok(),
            Either::Right(_) => None,
        }
    }
}

/// The address, without what names a part of the page.
fn parsed(address: &str) -> Result<Url, PreviewError> {
    if address.len() > MAX_ADDRESS_BYTES {
        return Err(PreviewError::TooLong);
    }
    let mut url = Url::parse(address).map_err(|_| PreviewError::NotAnAddress)?;
    url.set_fragment(None);
    Outbound::check(&url).map_err(|error| PreviewError::Refused(error.to_string()))?;
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_pages_are_taken_without_the_part_that_they_name() {
        let taken = |address: &str| parsed(address).map(String::from);
        assert_eq!(
            taken("HTTPS://Pages.Test/a?b#c"),
            Ok("https://pages.test/a?b".to_owned())
        );
        assert_eq!(taken("minutes"), Err(PreviewError::NotAnAddress));
        assert_eq!(taken(""), Err(PreviewError::NotAnAddress));
        let long = format!("https://pages.test/{}", "x".repeat(MAX_ADDRESS_BYTES));
        assert_eq!(taken(&long), Err(PreviewError::TooLong));
        for refused in [
            "mailto:a@b.test",
            "https://me@pages.test/",
            "http://pages.test:25/",
        ] {
            assert!(
                matches!(taken(refused), Err(PreviewError::Refused(_))),
                "{refused}"
            );
        }
    }
}
