//! Addresses of mail that stand for an account, and numbers of phones, which nobody has here. No
//! identity server is asked.

pub(crate) mod add_3pid;
pub(crate) mod add_3pid_by_credentials;
pub(crate) mod bind_3pid;
pub(crate) mod delete_3pid;
pub(crate) mod get_3pids;
pub(crate) mod request_email_token;
pub(crate) mod request_phone_token;
pub(crate) mod unbind_3pid;
