//! `GET /_matrix/client/v1/media/config` ([spec]), and its [predecessor]
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediaconfig
//! [predecessor]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixmediav3config

use axum::extract::State;
use media::Media;
use ruma::{
    UInt,
    api::client::{authenticated_media, media as unauthenticated_media},
};
use tracing::instrument;

use crate::{caller::Caller, matrix::Matrix};

/// Tells how large a file may be.
#[instrument(name = "client.get_media_config", skip_all)]
pub(crate) async fn get_media_config(
    State(media): State<Media>,
    _caller: Caller,
    _: Matrix<authenticated_media::get_media_config::v1::Request>,
) -> Matrix<authenticated_media::get_media_config::v1::Response> {
    let size = upload_size(&media);
    Matrix(authenticated_media::get_media_config::v1::Response::new(
        size,
    ))
}

/// Tells the same on the path of older clients.
#[instrument(name = "client.get_media_config_v3", skip_all)]
#[expect(deprecated, reason = "older clients ask here before they upload")]
pub(crate) async fn get_media_config_v3(
    State(media): State<Media>,
    _caller: Caller,
    _: Matrix<unauthenticated_media::get_media_config::v3::Request>,
) -> Matrix<unauthenticated_media::get_media_config::v3::Response> {
    let size = upload_size(&media);
    Matrix(unauthenticated_media::get_media_config::v3::Response::new(
        size,
    ))
}

/// A limit past what JSON can say counts as the largest that it can.
fn upload_size(media: &Media) -> UInt {
    UInt::new_saturating(media.max_size_bytes())
}
