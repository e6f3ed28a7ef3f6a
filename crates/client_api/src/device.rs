//! The caller's devices.

pub(crate) mod delete_device;
pub(crate) mod delete_devices;
pub(crate) mod get_device;
pub(crate) mod get_devices;
pub(crate) mod update_device;

use accounts::DeviceError;
use ruma::{MilliSecondsSinceUnixEpoch, UInt, api::client::device::Device};

use crate::error::ApiError;

/// A device as a client sees it.
fn wire_form(device: accounts::Device) -> Device {
    let mut shown = Device::new(device.device_id);
    shown.display_name = device.display_name;
    shown.last_seen_ip = device.address;
    let seen_at = device
        .seen_at
        .and_then(|at| UInt::try_from(at.as_millis()).ok());
    shown.last_seen_ts = seen_at.map(MilliSecondsSinceUnixEpoch);
    shown
}

impl From<DeviceError> for ApiError {
    fn from(error: DeviceError) -> Self {
        match error {
            DeviceError::NoSuchDevice => Self::not_found(error),
            DeviceError::NameTooLong | DeviceError::TooMany => Self::invalid_param(error),
            DeviceError::Store(error) => Self::internal(error),
        }
    }
}
