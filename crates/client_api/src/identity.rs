//! What servers and clients ask of an identity server: of its API this server answers what
//! concerns invitations that it has made itself.

pub(crate) mod get_key_validity;
