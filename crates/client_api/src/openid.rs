//! Proving to another service who one is.

pub(crate) mod get_userinfo;
pub(crate) mod request_token;
