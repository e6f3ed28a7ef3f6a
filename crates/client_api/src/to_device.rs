//! Messages from device to device.

pub(crate) mod send_to_device;
