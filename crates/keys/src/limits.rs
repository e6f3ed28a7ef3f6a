//! How large and how many: everything that a client sends is bounded before it is queued.

/// The longest device id, key id or session id, in bytes.
pub(crate) const ID_BYTES: usize = 255;
/// The largest JSON of a device's keys, a cross-signing key or a one-time key, in bytes.
pub(crate) const KEY_BYTES: usize = 32 * 1024;
/// The most keys of a kind in one upload.
pub(crate) const KEYS_PER_UPLOAD: usize = 500;
/// The most unclaimed one-time keys of a device.
pub(crate) const ONE_TIME_KEYS: usize = 500;
/// How many claimed one-time keys of a device are remembered.
pub(crate) const CLAIMED_KEYS: usize = 500;
/// The most one-time keys that are claimed in one intent.
pub(crate) const CLAIMS_PER_INTENT: usize = 500;
/// The most signatures in one upload.
pub(crate) const SIGNATURES_PER_UPLOAD: usize = 500;
/// The largest to-device message, in bytes: as the specification bounds an event.
pub(crate) const MESSAGE_BYTES: usize = 65_536;
/// The largest data of a dehydrated device, in bytes: room for its account and many one-time keys.
pub(crate) const DEHYDRATED_BYTES: usize = 128 * 1024;
/// How much of one send is committed at once, in bytes.
pub(crate) const SEND_BYTES: usize = 512 * 1024;
/// How many messages of one send are committed at once.
pub(crate) const SEND_MESSAGES: usize = 1_000;
/// The largest session data or authentication data of a backup, in bytes.
pub(crate) const BACKUP_BYTES: usize = 64 * 1024;
/// How much of one backup upload is committed at once, in bytes.
pub(crate) const BACKUP_CHUNK_BYTES: usize = 512 * 1024;
/// How many sessions of one backup upload are committed at once.
pub(crate) const BACKUP_CHUNK_SESSIONS: usize = 256;

/// The most sessions of one backup version: many years of somebody who is in hundreds of rooms.
/// It is counted before an upload, so uploads at the same moment may go beyond it together.
pub(crate) const BACKUP_SESSIONS: u64 = 500_000;

/// Whether an id may stand in a text column: bounded, not empty, no control characters.
pub(crate) fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= ID_BYTES && !text.chars().any(char::is_control)
}
