//! `POST /_matrix/client/v3/room_keys/version` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3room_keysversion

use audit::Act;
use axum::extract::State;
use keys::Keys;
use ruma::api::client::backup::create_backup_version;
use tracing::instrument;

use crate::{
    caller::Caller,
    error::ApiError,
    matrix::Matrix,
    origin::{CameFrom, add_record},
};

/// Makes a new backup version, which is the current one from then on.
#[instrument(name = "client.create_backup_version", skip_all)]
pub(crate) async fn create_version(
    State(keys): State<Keys>,
    CameFrom(origin): CameFrom,
    caller: Caller,
    Matrix(req): Matrix<create_backup_version::v3::Request>,
) -> Result<Matrix<create_backup_version::v3::Response>, ApiError> {
    let created = keys.create_backup(&caller.user_id, &req.algorithm, |intent| {
        add_record(intent, Act::BackupCreated, &caller, &origin);
    });
    Ok(Matrix(create_backup_version::v3::Response::new(
        created.await?,
    )))
}
