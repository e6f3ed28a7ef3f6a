//! `GET /_matrix/client/v3/admin/whois/{userId}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3adminwhoisuserid

use std::collections::BTreeMap;

use accounts::{Accounts, By, Device, WhoisError};
use axum::{Json, extract::State};
use ruma::{OwnedDeviceId, OwnedUserId, api::client::admin::get_user_info::v3::Request};
use serde::Serialize;
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix, origin::CameFrom};

/// The answer, written out: ruma's type tells of what is not known that it is null.
#[derive(Serialize)]
pub(crate) struct Answer {
    user_id: OwnedUserId,
    devices: BTreeMap<OwnedDeviceId, DeviceInfo>,
}

#[derive(Serialize)]
struct DeviceInfo {
    /// A device has one session at a time.
    sessions: [SessionInfo; 1],
}

#[derive(Serialize)]
struct SessionInfo {
    connections: Vec<Connection>,
}

#[derive(Serialize)]
struct Connection {
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<String>,
    /// In milliseconds since 1970.
    last_seen: i64,
}

/// Tells from where and when somebody's devices were last seen: to themselves, or to an
/// administrator.
#[instrument(name = "client.get_user_info", skip_all)]
pub(crate) async fn get_user_info(
    State(accounts): State<Accounts>,
    CameFrom(origin): CameFrom,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Json<Answer>, ApiError> {
    let session = caller.session()?;
    let by = By::session(&session, origin);
    let devices = accounts.whois(&session, &req.user_id, by).await?;
    Ok(Json(Answer {
        user_id: req.user_id,
        devices: devices.into_iter().map(shown).collect(),
    }))
}

fn shown(device: Device) -> (OwnedDeviceId, DeviceInfo) {
    let ip = device.address;
    let seen = device.seen_at.map(|seen_at| Connection {
        ip,
        last_seen: seen_at.as_millis(),
    });
    let connections = seen.into_iter().collect();
    let sessions = [SessionInfo { connections }];
    (device.device_id, DeviceInfo { sessions })
}

impl From<WhoisError> for ApiError {
    fn from(error: WhoisError) -> Self {
        match error {
            WhoisError::NotAdministrator => Self::forbidden(error),
            WhoisError::NoSuchUser => Self::not_found(error),
            WhoisError::Store(error) => Self::internal(error),
        }
    }
}
