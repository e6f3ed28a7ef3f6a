//! `PUT /_matrix/client/v3/sendToDevice/{eventType}/{txnId}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3sendtodeviceeventtypetxnid

use std::collections::{BTreeMap, BTreeSet};

use accounts::Accounts;
use axum::extract::State;
use keys::{Keys, MessageToDevice, SendError, SendToDevices};
use ruma::{
    OwnedDeviceId, OwnedUserId,
    api::client::to_device::send_event_to_device,
    events::AnyToDeviceEventContent,
    serde::Raw,
    to_device::DeviceIdOrAllDevices::{AllDevices, DeviceId},
};
use store::StoreError;
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

type Contents = BTreeMap<ruma::to_device::DeviceIdOrAllDevices, Raw<AnyToDeviceEventContent>>;

/// Sends messages to devices; sending under the same name again changes nothing.
///
/// Devices that do not exist are passed over: they may have signed out a moment ago.
#[instrument(name = "client.send_to_device", skip_all)]
pub(crate) async fn send_to_device(
    State(keys): State<Keys>,
    State(accounts): State<Accounts>,
    caller: Caller,
    Matrix(req): Matrix<send_event_to_device::v3::Request>,
) -> Result<Matrix<send_event_to_device::v3::Response>, ApiError> {
    let mut messages = Vec::new();
    for (user_id, contents) in &req.messages {
        let found = messages_for(&accounts, &keys, user_id, contents);
        messages.extend(found.await.map_err(ApiError::internal)?);
    }
    let send = SendToDevices {
        device_id: caller.own_device()?.to_owned(),
        sender: caller.user_id,
        txn_id: req.txn_id,
        event_type: req.event_type,
        messages,
    };
    keys.send_to_devices(&send).await?;
    Ok(Matrix(send_event_to_device::v3::Response::new()))
}

/// The messages for the devices that a user has, a dehydrated one too; one that is named gets its
/// own instead of `*`.
async fn messages_for(
    accounts: &Accounts,
    keys: &Keys,
    user_id: &OwnedUserId,
    contents: &Contents,
) -> Result<Vec<MessageToDevice>, StoreError> {
    let Some(account) = accounts.account(user_id).await? else {
        return Ok(Vec::new());
    };
    let devices = accounts.devices_of(account.user).await?.into_iter();
    let mut device_ids: BTreeSet<OwnedDeviceId> = devices.map(|device| device.device_id).collect();
    device_ids.extend(keys.dehydrated_device_id(account.user).await?);
    let messages = device_ids.into_iter().filter_map(|device_id| {
        let own = contents.get(&DeviceId(device_id.clone()));
        let content = own.or_else(|| contents.get(&AllDevices))?;
        Some(MessageToDevice {
            user_id: user_id.clone(),
            device_id,
            content: content.clone(),
        })
    });
    Ok(messages.collect())
}

impl From<SendError> for ApiError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::TooLarge(_) => Self::too_large(error),
            SendError::Malformed(_) => Self::bad_json(error),
            SendError::Store(_) => Self::internal(error),
        }
    }
}
