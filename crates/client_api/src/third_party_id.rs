//! Addresses of mail and numbers of phones that stand for an account. Nobody has one here, and no
//! identity server is asked.

pub(crate) mod bind_3pid;
pub(crate) mod delete_3pid;
pub(crate) mod get_3pids;
pub(crate) mod request_phone_token;
pub(crate) mod unbind_3pid;
