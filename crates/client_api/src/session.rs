//! Sessions: signing in and out, refreshing tokens, proving who one is.

pub(crate) mod authenticate;
pub(crate) mod get_login_token;
pub(crate) mod get_login_types;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod logout_all;
pub(crate) mod owner_proof;
pub(crate) mod refresh_token;
pub(crate) mod uia;
