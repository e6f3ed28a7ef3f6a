//! The story's parts; each says what it shows.

pub(crate) mod file;
pub(crate) mod history;
pub(crate) mod messages;
pub(crate) mod people;
pub(crate) mod room;
pub(crate) mod secrets;
