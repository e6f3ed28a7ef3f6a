//! `POST /_matrix/client/v3/keys/query` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysquery

use std::collections::BTreeMap;

use accounts::Accounts;
use axum::extract::State;
use keys::{DeviceNames, Keys};
use ruma::{OwnedDeviceId, OwnedUserId, api::client::keys::get_keys};
use store::{Database, StoreError};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Finds the devices and keys of users, with the signatures that the caller may see.
///
/// Users and devices without keys are absent, whether they exist or not.
#[instrument(name = "client.query_keys", skip_all)]
pub(crate) async fn query_keys(
    State(keys): State<Keys>,
    State(accounts): State<Accounts>,
    State(database): State<Database>,
    caller: Caller,
    Matrix(req): Matrix<get_keys::v3::Request>,
) -> Result<Matrix<get_keys::v3::Response>, ApiError> {
    let names = names_of(&accounts, &req.device_keys);
    let names = names.await.map_err(ApiError::internal)?;
    let snapshot = database.snapshot().await.map_err(ApiError::internal)?;
    let found = keys
        .query_keys(&snapshot, &caller.user_id, &req.device_keys, &names)
        .await
        .map_err(ApiError::internal)?;
    let mut response = get_keys::v3::Response::new();
    response.device_keys = found.device_keys;
    response.master_keys = found.master_keys;
    response.self_signing_keys = found.self_signing_keys;
    response.user_signing_keys = found.user_signing_keys;
    Ok(Matrix(response))
}

async fn names_of(
    accounts: &Accounts,
    asked: &BTreeMap<OwnedUserId, Vec<OwnedDeviceId>>,
) -> Result<DeviceNames, StoreError> {
    let mut names = DeviceNames::new();
    for user_id in asked.keys() {
        let Some(account) = accounts.account(user_id).await? else {
            continue;
        };
        for device in accounts.devices_of(account.user).await? {
            if let Some(name) = device.display_name {
                names.insert((user_id.clone(), device.device_id), name);
            }
        }
    }
    Ok(names)
}
