//! Pictures of pages: made anew from pixels, and kept for a week.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use media::{
    Media, NewFile,
    thumbnail::{Method, Rendered, Size},
};
use model::time::Clock;
use outbound::{Get, Redirects};
use ruma::{OwnedUserId, ServerName, UserId};
use url::Url;

use crate::{
    Picture, Previews,
    fetching::{PATIENCE, note},
};

/// How long a picture is kept. Whoever asks for the preview later gets a new one.
pub const KEPT_FOR: Duration = Duration::from_secs(7 * 86_400);

/// How much all pictures together may take. Where that is reached, previews come without one.
pub const QUOTA_BYTES: u64 = 1024 * 1024 * 1024;

/// The largest file that is fetched.
pub(crate) const MAX_PICTURE_BYTES: usize = 10 * 1024 * 1024;

/// How often old ones are forgotten.
const INTERVAL: Duration = Duration::from_secs(6 * 3_600);

/// To whom pictures belong: nobody. New accounts have no capital letters in their names.
pub(crate) fn owner(server_name: &ServerName) -> Option<OwnedUserId> {
    UserId::parse(format!("@PREVIEWS:{server_name}")).ok()
}

impl Previews {
    /// Fetches a picture; of one that cannot be had or shown there is none.
    pub(crate) async fn picture(&self, url: &Url) -> Option<Picture> {
        let bytes = self.fetch_picture(url).await?;
        self.draw(bytes).await
    }

    async fn fetch_picture(&self, url: &Url) -> Option<Bytes> {
        let get = Get {
            url,
            accept: "image/jpeg,image/png,image/webp,image/gif",
            deadline: PATIENCE,
            redirects: Redirects::Anywhere,
        };
        let answer = self.outbound.get(get).await;
        let answer = answer.map_err(|error| note(&error)).ok()?;
        if !answer.status.is_success() {
            return None;
        }
        let body = answer.read(MAX_PICTURE_BYTES).await;
        let body = body.map_err(|error| note(&error)).ok()?;
        body.is_whole.then_some(body.bytes)
    }

    /// Makes a picture of a file that may hold anything, and stores what was made.
    pub(crate) async fn draw(&self, bytes: Bytes) -> Option<Picture> {
        let size = Size::fitting(800, 600, Method::Scale);
        let drawn = self.media.redraw(bytes, size).await;
        let drawn = drawn
            .map_err(|error| tracing::debug!(%error, "a picture of a page cannot be shown"))
            .ok()?;
        self.store(drawn).await
    }

    async fn store(&self, drawn: Rendered) -> Option<Picture> {
        let size_bytes = drawn.bytes.len() as u64;
        let file = NewFile {
            owner: owner(&self.server_name)?,
            content_type: Some(drawn.content_type.to_owned()),
            file_name: None,
            size_bytes: Some(size_bytes),
        };
        let content = stream::iter([Ok::<_, Infallible>(Bytes::from(drawn.bytes))]);
        let stored = self.media.upload_within(QUOTA_BYTES, file, content).await;
        let id = stored
            .map_err(|error| tracing::warn!(%error, "a picture of a page could not be stored"))
            .ok()?;
        Some(Picture {
            address: format!("mxc://{}/{id}", self.server_name).into(),
            content_type: drawn.content_type,
            width: drawn.width,
            height: drawn.height,
            size_bytes,
        })
    }
}

/// Forgets old pictures now and then, for as long as it is polled; also where no previews are made
/// any more.
pub async fn forget_pictures_regularly(
    media: Media,
    clock: Arc<dyn Clock>,
    server_name: &ServerName,
) {
    let Some(owner) = owner(server_name) else {
        return;
    };
    loop {
        let before = clock.now().minus(KEPT_FOR);
        match media.forget_older(&owner, before).await {
            Ok(0) => {}
            Ok(pictures) => tracing::info!(pictures, "forgot old pictures of pages"),
            // The next time does what this one could not.
            Err(error) => tracing::warn!(%error, "old pictures of pages could not be forgotten"),
        }
        clock.sleep(INTERVAL).await;
    }
}
