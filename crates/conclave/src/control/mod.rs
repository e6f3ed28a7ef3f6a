//! Administration from the command line: carried out here, or beside a running server through
//! its socket.

mod administration;
mod backup;
mod client;
mod deliveries;
mod notices;
mod order;
mod password;
mod place;
mod socket;

pub(crate) use administration::Administration;
pub(crate) use client::{Administrator, reach};
pub(crate) use order::{
    Answer, CopyLine, DeadLetterLine, LaneLine, Order, Recipients, ReportLine, UserKind, UserLine,
};
pub(crate) use password::Password;
pub(crate) use socket::Socket;

/// The longest line that either side sends, in bytes: a page of users fits many times.
const LINE_BYTES: u64 = 1024 * 1024;
