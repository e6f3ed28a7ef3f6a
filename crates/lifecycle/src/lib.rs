//! What the life of an account and its devices asks of several owners.
//!
//! What belongs together commits in one intent; what is too large for one is done in steps that
//! can be taken again.

mod deactivate;
mod dehydrated;
mod devices;
mod inviting;
mod password;
mod profile;

use accounts::Accounts;
use keys::Keys;
use pushers::Pushers;
use rooms::Rooms;
use ruma::UserId;
use store::Log;

pub use deactivate::DeactivateError;
pub use dehydrated::DehydrateError;
pub use inviting::{InviteEmailError, Invited, invitation};
pub use password::{AfterPassword, ChangePasswordError, ResetPasswordError};
pub use profile::SetProfileError;

/// Procedures over accounts, keys and rooms. Cheap to clone.
#[derive(Clone)]
pub struct Lifecycle {
    log: Log,
    accounts: Accounts,
    keys: Keys,
    rooms: Rooms,
    pushers: Pushers,
}

/// A user, by interned id and by name.
pub type Whose<'a> = (i64, &'a UserId);

impl Lifecycle {
    /// Puts the procedures together over their owners.
    pub fn new(log: Log, accounts: Accounts, keys: Keys, rooms: Rooms, pushers: Pushers) -> Self {
        Self {
            log,
            accounts,
            keys,
            rooms,
            pushers,
        }
    }
}
