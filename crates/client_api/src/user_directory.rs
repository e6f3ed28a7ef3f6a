//! Finding people.

pub(crate) mod search_users;
