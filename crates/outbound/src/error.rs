//! Why something was not fetched.

use std::{io, net::IpAddr};

/// Why something was not fetched.
///
/// Who chose the address should hear little of it: the difference between some of these tells what
/// there is in the operator's network.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The address is not one of a page.
    #[error("only http and https addresses are fetched")]
    Scheme,
    /// Credentials stand in the address.
    #[error("an address that holds a name or a password is not fetched")]
    Credentials,
    /// Other protocols are spoken there.
    #[error("nothing is fetched from port {0}")]
    Port(u16),
    /// The address cannot be sent as a request.
    #[error("the address cannot be asked for")]
    Unaskable(#[source] http::Error),
    /// The name leads, also or only, to an address that is refused.
    #[error("nothing is fetched from {address}: it is {what}")]
    Refused {
        /// The address.
        address: IpAddr,
        /// What it is.
        what: &'static str,
    },
    /// The name has no address, or cannot be looked up now.
    #[error("the name cannot be resolved")]
    Unresolved(#[source] io::Error),
    /// No connection could be made.
    #[error("no connection could be made")]
    Unreachable(#[source] io::Error),
    /// The server did not prove who it is.
    #[error("no protected connection could be made")]
    Unproved(#[source] io::Error),
    /// The answer broke off, or is none.
    #[error("the answer cannot be read")]
    Unreadable(#[source] hyper::Error),
    /// The answer leads on to more places than are followed.
    #[error("the answer is a redirect once too often")]
    TooManyRedirects,
    /// The answer leads to what is no address.
    #[error("the answer redirects to what is no address")]
    NoRedirect,
    /// The answer leads from a protected address to an unprotected one.
    #[error("the answer redirects from https to http")]
    Downgrade,
    /// The body is compressed although that was not wanted.
    #[error("the answer is compressed, which was not asked for")]
    Compressed,
    /// It took too long.
    #[error("the answer took too long")]
    TooSlow,
}
