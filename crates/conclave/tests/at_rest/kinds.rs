//! Everything that is planted, and where it ends up.

use std::collections::BTreeSet;

/// Columns that take what people, their programs and operators say, and what they say there.
/// A column without kinds takes keys and hashes of the server's own making.
///
/// Not here, because they do not exist yet: rows of idempotency other than those of events and of
/// messages to devices. Receipts, typing and what waits to leave hold nothing that anybody wrote.
pub(crate) const KINDS: &[(&[&str], &[&str])] = &[
    (
        &["accounts.password_hash"],
        &[
            "a password",
            "a changed password",
            "a password on standard input",
            "a password from a tool",
        ],
    ),
    (
        &["profile_fields.value"],
        &[
            "a display name",
            "a display name on the command line",
            "a display name from a tool",
            "an avatar",
            "a profile field",
        ],
    ),
    (
        &["devices.display_name"],
        &["the name of a new device", "the name of a device"],
    ),
    (
        &["access_tokens.hash"],
        &[
            "an access token",
            "an access token after a refresh",
            "an access token that was signed out",
        ],
    ),
    (
        &["refresh_tokens.hash"],
        &["a refresh token", "a refresh token after a refresh"],
    ),
    (
        &["login_tokens.hash"],
        &["a login token", "a used login token"],
    ),
    (
        &["email_addresses.address", "email_addresses.address_hash"],
        &["an address of mail"],
    ),
    (
        &[
            "email_sessions.address",
            "email_sessions.address_hash",
            "account_mails.address_hash",
            "account_mails.content",
        ],
        &["an address of mail", "an address of mail that waits"],
    ),
    (
        &["email_invites.address_hash"],
        &["an address of mail that is invited"],
    ),
    (
        &["email_sessions.secret_hash"],
        &["a client's secret of a proof"],
    ),
    (
        &["email_sessions.next_link"],
        &["where a link leads afterwards"],
    ),
    (
        &["account_mails.mail_id"],
        &["the secret in the link of a mail"],
    ),
    (&["openid_tokens.hash"], &["an OpenID token"]),
    (&["setup_links.hash"], &[SETUP_LINK]),
    (&["spent_nonces.hash"], &["the nonce of a tool"]),
    (
        &["registration_tokens.hash"],
        &["an invitation", "a registration token"],
    ),
    (
        &["account_data.content"],
        &[
            "a draft",
            "a draft in a room",
            "a tag",
            "the id of a push rule",
            "the pattern of a push rule",
            "the condition of a push rule",
            "the sound of a push rule",
        ],
    ),
    (&["filters.content"], &["a filter"]),
    (
        &["audit_records.sealed"],
        &[
            "a User-Agent",
            "a stranger's User-Agent",
            "a stranger's address",
        ],
    ),
    (&["audit_records.commitment", "audit_records.link"], &[]),
    (
        &["events.sealed"],
        &[
            "the name of a room",
            "a topic",
            "a later topic",
            "creation content",
            "initial state",
            "the content of state",
            "a room's avatar",
            "a canonical alias",
            "a display name in one room",
            "a message",
            "a redacted message",
            "an edited message",
            "a reaction",
            "a notice",
            "the reason of a redaction",
            "the reason of a join",
            "the reason of a kick",
            "the reason of an invitation",
            "the reason of a refusal",
            "the reason of a ban",
            "the reason of a pardon",
            "the reason of a knock",
        ],
    ),
    (
        &["transactions.hash"],
        &["a transaction id", "the transaction id of a redaction"],
    ),
    // Their words stand in these, as places and keyed numbers.
    (&["search_postings.postings", "search_events.tokens"], &[]),
    (&["annotations.hash"], &["a reaction"]),
    (&["sent_notices.hash"], &["the id of a notice"]),
    (&["delayed_events.sealed"], &["a delayed message"]),
    (&["delayed_events.hash"], &["a delay id"]),
    (
        &["delayed_events.txn_hash"],
        &["the transaction id of a delayed message"],
    ),
    (
        &["aliases.sealed", "aliases.hash"],
        &["an alias", "an alias made with its room"],
    ),
    (
        &["device_keys.sealed", "device_keys.digest"],
        &[
            "a device key",
            "a signature",
            "the name in a device key",
            "an algorithm of a device",
        ],
    ),
    (
        &["dehydrated_devices.device_data"],
        &["the data of a dehydrated device"],
    ),
    (
        &["dehydrated_devices.display_name"],
        &["the name of a dehydrated device"],
    ),
    (
        &["cross_signing_keys.sealed"],
        &["a note in a master key", "a note in a self-signing key"],
    ),
    (&["key_signatures.sealed"], &["a signature on a device"]),
    (
        &["one_time_keys.sealed", "one_time_keys.digest"],
        &["a one-time key", "a claimed one-time key"],
    ),
    (
        &["fallback_keys.sealed", "fallback_keys.digest"],
        &["a fallback key"],
    ),
    (
        &["to_device_messages.sealed"],
        &["a message to a device", "the type of a message to a device"],
    ),
    (
        &["to_device_sends.request"],
        &["the transaction id of a message to a device"],
    ),
    (&["key_backups.auth_data"], &["the data of a backup"]),
    (&["key_backup_sessions.sealed"], &["a key in a backup"]),
    (
        &["pushers.sealed"],
        &[
            "the address of a push gateway",
            "the app of a pusher",
            "a push key",
            "the name of an app",
        ],
    ),
    (&["pushers.hash"], &["the app of a pusher", "a push key"]),
    (&["reports.reason"], &["the reason of a report"]),
    (&["media.file_name"], &["the name of a file"]),
    (&["media.content_type"], &["the type of a file"]),
    (
        &["media.file_key"],
        // What is sealed under it stands in files.
        &[
            "the content of a file",
            "the content of a large file",
            "a note in a picture",
            "a temporary upload",
        ],
    ),
    (
        // Nobody's words are in a thumbnail: it is made of pixels alone.
        &["media_thumbnails.file_key", "media_thumbnails.content_type"],
        &[],
    ),
    (
        &["seal_wrapping_keys.wrapped", "seal_data_keys.wrapped"],
        &[],
    ),
    (
        // Nowhere at all.
        &[],
        &[
            "the shared secret",
            "the MAC of a tool",
            "a status message",
            "a wrong password",
            "a session of user-interactive authentication",
            "a value that is refused",
            "the name of a file that does not arrive",
            // Remembered in memory alone, and of a picture its pixels are kept.
            "a link",
            "the title of a page",
            "what a page is about",
            "a note in the picture of a page",
            "in the path of a request that broke off",
            "in a request that failed",
        ],
    ),
];

/// Printed once, for whoever starts the server: on standard output and nowhere else.
pub(crate) const SETUP_LINK: &str = "the setup link";

pub(crate) fn kinds() -> BTreeSet<&'static str> {
    let kinds = KINDS.iter().flat_map(|(_, kinds)| *kinds);
    kinds.copied().collect()
}

pub(crate) fn columns() -> BTreeSet<&'static str> {
    let columns = KINDS.iter().flat_map(|(columns, _)| *columns);
    columns.copied().collect()
}
