//! Messages that wait for a device, until it proves that it has them.

mod acknowledge;
mod applier;
mod elsewhere;
mod read;
mod send;
mod tables;

pub use elsewhere::ToldMessage;
pub use read::WaitingMessages;
pub use send::{MessageToDevice, SendError, SendToDevices};

pub(crate) use applier::{ToDeviceChange, ToDeviceChanges};
