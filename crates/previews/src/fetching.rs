//! Asking a page what it says of itself.

use std::{error::Error, sync::Arc, time::Duration};

use http::header::CONTENT_TYPE;
use mime::Mime;
use outbound::{Answer, FetchError, Get, Redirects};
use url::Url;

use crate::{
    Preview, PreviewError, Previews, memory::Outcome, metrics, page, pictures::MAX_PICTURE_BYTES,
};

/// How long a page may take, and then its picture.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// How much of a page is read: what it says of itself stands at its beginning.
const MAX_PAGE_BYTES: usize = 1024 * 1024;

const WANTED: &str = "text/html,application/xhtml+xml,image/*;q=0.8";

impl Previews {
    /// Asks a page; who chose its address does not learn why there is no answer.
    pub(crate) async fn fetch(&self, url: &Url) -> Outcome {
        match self.ask(url).await {
            Ok(Some(preview)) => Ok(Arc::new(preview)),
            Ok(None) => Err(PreviewError::Missing),
            Err(error) => {
                note(&error);
                Err(PreviewError::Missing)
            }
        }
    }

    async fn ask(&self, url: &Url) -> Result<Option<Preview>, FetchError> {
        let get = Get {
            url,
            accept: WANTED,
            deadline: PATIENCE,
            redirects: Redirects::Anywhere,
        };
        let answer = self.outbound.get(get).await?;
        if !answer.status.is_success() {
            return Ok(None);
        }
        let essence = answer.essence();
        match essence.as_str() {
            "text/html" | "application/xhtml+xml" => self.read(answer).await.map(Some),
            _ if essence.starts_with("image/") => self.show(answer).await.map(Some),
            // It is there, and nothing is known of it.
            _ => Ok(Some(Preview::default())),
        }
    }

    async fn read(&self, answer: Answer) -> Result<Preview, FetchError> {
        let url = answer.url.clone();
        let declared = charset(&answer);
        let body = answer.read(MAX_PAGE_BYTES).await?;
        let reading = move || page::read(&body.bytes, declared.as_deref());
        // A large page takes long enough to keep others waiting.
        let reading = tokio::task::spawn_blocking(reading).await;
        let page = reading.unwrap_or_else(|error| {
            tracing::warn!(%error, "reading a page ended early; it has no preview");
            page::Page::default()
        });
        let image = page.image.and_then(|image| url.join(&image).ok());
        let picture = match image {
            Some(image) => self.picture(&image).await,
            None => None,
        };
        Ok(Preview {
            title: page.title,
            description: page.description,
            site_name: page.site_name,
            kind: page.kind,
            picture,
        })
    }

    /// A picture by itself.
    async fn show(&self, answer: Answer) -> Result<Preview, FetchError> {
        let body = answer.read(MAX_PICTURE_BYTES).await?;
        let picture = match body.is_whole {
            true => self.draw(body.bytes).await,
            false => None,
        };
        Ok(Preview {
            picture,
            ..Preview::default()
        })
    }
}

/// Notes for the operator why something was not fetched.
pub(crate) fn note(error: &FetchError) {
    if matches!(error, FetchError::Refused { .. } | FetchError::Port(_)) {
        metrics::refused();
    }
    let error: &(dyn Error + 'static) = error;
    tracing::debug!(error, "a page or its picture was not fetched");
}

/// The encoding that a server says a page has.
fn charset(answer: &Answer) -> Option<String> {
    let named = answer.headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let named: Mime = named.parse().ok()?;
    Some(named.get_param(mime::CHARSET)?.as_str().to_owned())
}
