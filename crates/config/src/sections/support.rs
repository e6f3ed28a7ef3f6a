//! `[support]`: whom people turn to.

use ruma::OwnedUserId;

use super::section;
use crate::values::{EmailAddress, PageUrl};

section! {
    /// Whom people, and administrators of other servers, turn to: what
    /// `/.well-known/matrix/support` tells everybody who asks. Without any of these it tells
    /// nothing.
    pub Support in "support" {
        /// A page that helps the people of this server.
        page: Option<PageUrl> = "";
        /// Where administrators read mail.
        admin_email: Option<EmailAddress> = "";
        /// An administrator's user id; one of another server is reached when this one is down.
        admin_matrix_id: Option<OwnedUserId> = "";
        /// Where security officers read mail.
        security_email: Option<EmailAddress> = "";
        /// A security officer's user id.
        security_matrix_id: Option<OwnedUserId> = "";
    }
}
