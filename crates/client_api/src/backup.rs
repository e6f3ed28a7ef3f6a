//! Server-side key backups.

mod answers;
pub(crate) mod create_version;
pub(crate) mod delete_keys;
pub(crate) mod delete_room_keys;
pub(crate) mod delete_session_key;
pub(crate) mod delete_version;
pub(crate) mod get_current_version;
pub(crate) mod get_keys;
pub(crate) mod get_room_keys;
pub(crate) mod get_session_key;
pub(crate) mod get_version;
pub(crate) mod put_keys;
pub(crate) mod put_room_keys;
pub(crate) mod put_session_key;
pub(crate) mod update_version;
