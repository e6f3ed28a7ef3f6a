//! What the server tells its people ([spec]).
//!
//! - [`Notices::send`]: a notice to one person.
//! - [`Notices::send_to_some`]: a notice to everybody, a page at a time.
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#server-notices

mod everyone;
mod sending;

use accounts::Accounts;
use rooms::Rooms;
use store::Log;

pub use everyone::{Page, Untold};
pub use sending::{MAX_ID_BYTES, MAX_TEXT_BYTES, NoticeError, Told};

/// Who sends notices.
#[derive(Clone, Debug)]
pub struct NoticesOptions {
    /// The name before the colon.
    pub localpart: String,
    /// The name that people see.
    pub display_name: String,
}

/// Notices over their owners. Cheap to clone.
#[derive(Clone)]
pub struct Notices {
    log: Log,
    accounts: Accounts,
    rooms: Rooms,
    options: NoticesOptions,
}

impl Notices {
    /// Puts them together over their owners.
    pub fn new(log: Log, accounts: Accounts, rooms: Rooms, options: NoticesOptions) -> Self {
        Self {
            log,
            accounts,
            rooms,
            options,
        }
    }
}
