//! `GET /_matrix/client/v1/media/thumbnail/{serverName}/{mediaId}` ([spec]), and its
//! [predecessor], which `files.allow_unauthenticated` opens to anybody
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediathumbnailservernamemediaid
//! [predecessor]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixmediav3thumbnailservernamemediaid

use std::{sync::Arc, time::Duration};

use axum::{extract::State, response::Response};
use media::{
    Media, ThumbnailError,
    thumbnail::{Method, RenderError, Size},
};
use ruma::{
    ServerName, UInt,
    api::client::{authenticated_media, media as unauthenticated_media},
    media::Method as WantedMethod,
};
use tracing::instrument;

use super::{
    answer::{Shown, answer},
    conditions::Conditions,
    found::{check_open, id_at},
};
use crate::{Settings, caller::Caller, error::ApiError, matrix::Matrix};

/// Gives a small picture of a file; it never moves, whether that is wanted or not.
#[instrument(name = "client.get_thumbnail", skip_all)]
pub(crate) async fn get_thumbnail(
    State(settings): State<Arc<Settings>>,
    State(media): State<Media>,
    conditions: Conditions,
    _caller: Caller,
    Matrix(req): Matrix<authenticated_media::get_content_thumbnail::v1::Request>,
) -> Result<Response, ApiError> {
    let wanted = Wanted {
        size: size_of(req.width, req.height, req.method.as_ref())?,
        patience: req.timeout_ms,
    };
    let place = (&*req.server_name, &*req.media_id);
    show(&settings, &media, place, wanted, &conditions).await
}

/// Gives it to anybody.
#[instrument(name = "client.get_thumbnail_openly", skip_all)]
#[expect(
    deprecated,
    reason = "the path is deprecated, and operators may open it"
)]
pub(crate) async fn get_thumbnail_openly(
    State(settings): State<Arc<Settings>>,
    State(media): State<Media>,
    conditions: Conditions,
    Matrix(req): Matrix<unauthenticated_media::get_content_thumbnail::v3::Request>,
) -> Result<Response, ApiError> {
    check_open(&settings)?;
    let wanted = Wanted {
        size: size_of(req.width, req.height, req.method.as_ref())?,
        patience: req.timeout_ms,
    };
    let place = (&*req.server_name, &*req.media_id);
    show(&settings, &media, place, wanted, &conditions).await
}

struct Wanted {
    size: Size,
    patience: Duration,
}

fn size_of(width: UInt, height: UInt, method: Option<&WantedMethod>) -> Result<Size, ApiError> {
    if width == UInt::MIN || height == UInt::MIN {
        return Err(ApiError::invalid_param(
            "no picture is 0 pixels wide or high",
        ));
    }
    let method = match method {
        Some(WantedMethod::Crop) => Method::Crop,
        None | Some(WantedMethod::Scale) => Method::Scale,
        Some(_) => {
            return Err(ApiError::invalid_param(
                "the method is neither \"crop\" nor \"scale\"",
            ));
        }
    };
    Ok(Size::fitting(width.into(), height.into(), method))
}

async fn show(
    settings: &Settings,
    media: &Media,
    (server_name, media_id): (&ServerName, &str),
    Wanted { size, patience }: Wanted,
    conditions: &Conditions,
) -> Result<Response, ApiError> {
    let id = id_at(settings, server_name, media_id)?;
    let thumbnail = media.thumbnail(&id, size, patience).await?;
    let extension = match thumbnail.content_type.as_deref() {
        Some("image/png") => "png",
        _ => "jpg",
    };
    let shown = Shown {
        tag: format!("{id}-{size}"),
        name: Some(format!("thumbnail.{extension}")),
    };
    answer(thumbnail, shown, conditions).await
}

impl From<ThumbnailError> for ApiError {
    fn from(error: ThumbnailError) -> Self {
        match error {
            ThumbnailError::Refused(error @ RenderError::Unsupported) => Self::unknown(error),
            ThumbnailError::Refused(error @ RenderError::TooLarge) => Self::too_large(error),
            ThumbnailError::Busy { retry_after } => Self::limit_exceeded(retry_after),
            ThumbnailError::File(error) => error.into(),
            ThumbnailError::Seal(error) => Self::internal(error),
            ThumbnailError::Blobs(error) => Self::internal(error),
            ThumbnailError::Store(error) => Self::internal(error),
        }
    }
}
