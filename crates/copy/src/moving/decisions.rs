//! What becomes of each table when a deployment moves. A table that is not here keeps it from
//! moving, and a test from being forgotten.

/// What becomes of a table's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goes {
    /// All of them go over as they are.
    AsItIs,
    /// All of them go over, with how far each work is, and nobody holds any of them there.
    Free,
}

use Goes::{AsItIs, Free};

/// Every table of the schema. Nothing stays behind: a move loses nothing, so that also what is
/// good for minutes is good at the new place, once.
pub const DECISIONS: &[(&str, Goes)] = &[
    // The log, and what is true of the whole deployment: the same positions, the same epoch.
    ("schema_migrations", AsItIs),
    ("log", AsItIs),
    ("log_lock", AsItIs),
    ("facts", AsItIs),
    ("user_names", AsItIs),
    ("room_names", AsItIs),
    // How far workers are in the log goes on, or they would skip or repeat what waits to leave.
    ("leases", Free),
    // Sealed under the master key, which is to be the same at the new place.
    ("seal_wrapping_keys", AsItIs),
    ("seal_data_keys", AsItIs),
    ("audit_records", AsItIs),
    // People and their sessions.
    ("accounts", AsItIs),
    ("profile_fields", AsItIs),
    ("devices", AsItIs),
    ("access_tokens", AsItIs),
    ("refresh_tokens", AsItIs),
    ("login_tokens", AsItIs),
    ("openid_tokens", AsItIs),
    ("registration_tokens", AsItIs),
    ("spent_nonces", AsItIs),
    ("setup_links", AsItIs),
    ("account_data", AsItIs),
    ("filters", AsItIs),
    ("device_activity", AsItIs),
    ("email_addresses", AsItIs),
    ("email_sessions", AsItIs),
    ("email_invites", AsItIs),
    ("account_mails", AsItIs),
    // Rooms.
    ("rooms", AsItIs),
    ("events", AsItIs),
    ("state_changes", AsItIs),
    ("memberships", AsItIs),
    ("transactions", AsItIs),
    ("annotations", AsItIs),
    ("aliases", AsItIs),
    ("receipts", AsItIs),
    ("thread_subscriptions", AsItIs),
    ("delayed_events", AsItIs),
    ("guests", AsItIs),
    ("sent_notices", AsItIs),
    ("network_rooms", AsItIs),
    ("reports", AsItIs),
    // Keys: nothing was given away since, so nothing is dropped.
    ("device_keys", AsItIs),
    ("cross_signing_keys", AsItIs),
    ("key_signatures", AsItIs),
    ("device_list_changes", AsItIs),
    ("one_time_keys", AsItIs),
    ("fallback_keys", AsItIs),
    ("to_device_messages", AsItIs),
    ("to_device_sends", AsItIs),
    ("key_backups", AsItIs),
    ("key_backup_sessions", AsItIs),
    ("dehydrated_devices", AsItIs),
    // Files.
    ("media", AsItIs),
    ("media_pending", AsItIs),
    ("media_thumbnails", AsItIs),
    ("media_usage", AsItIs),
    // What leaves, and how far it is.
    ("pushers", AsItIs),
    ("push_mails", AsItIs),
    ("outbox", AsItIs),
    ("outbox_targets", AsItIs),
    ("outbox_dead", AsItIs),
    ("appservice_transactions", AsItIs),
    // Kept outside of the log: a client of sliding sync goes on with its connection, and nothing
    // is indexed twice.
    ("sliding_connections", AsItIs),
    ("search_postings", AsItIs),
    ("search_events", AsItIs),
];
