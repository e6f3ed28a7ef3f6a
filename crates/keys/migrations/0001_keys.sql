-- Identity keys of devices, as they were uploaded; `digest` is a keyed hash that finds uploads
-- without news.
CREATE TABLE device_keys (
    user_id BIGINT NOT NULL,
    device_id TEXT NOT NULL,
    digest BYTEA NOT NULL,
    sealed BYTEA NOT NULL,
    pos BIGINT NOT NULL,
    PRIMARY KEY (user_id, device_id)
);

-- The cross-signing keys of each user: at most one of each usage.
CREATE TABLE cross_signing_keys (
    user_id BIGINT NOT NULL,
    usage TEXT NOT NULL,
    public_key TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    pos BIGINT NOT NULL,
    PRIMARY KEY (user_id, usage)
);

-- Signatures on devices (by device id) and master keys (by public key), apart from those that
-- were uploaded with them.
CREATE TABLE key_signatures (
    target_user BIGINT NOT NULL,
    signer BIGINT NOT NULL,
    target_key TEXT NOT NULL,
    signer_key TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    pos BIGINT NOT NULL,
    PRIMARY KEY (target_user, signer, target_key, signer_key)
);
CREATE INDEX key_signatures_signer ON key_signatures (signer, signer_key);

-- Whose devices and keys changed when; `seen_by` is set when only that user may learn of it.
CREATE TABLE device_list_changes (
    pos BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    seen_by BIGINT,
    PRIMARY KEY (pos, user_id)
);
CREATE INDEX device_list_changes_user ON device_list_changes (user_id, pos);

-- One-time keys. A claimed one keeps its row for a while, without its content, so that a late
-- retry of its upload does not bring it back.
CREATE TABLE one_time_keys (
    user_id BIGINT NOT NULL,
    device_id TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    key_id TEXT NOT NULL,
    digest BYTEA NOT NULL,
    sealed BYTEA,
    pos BIGINT NOT NULL,
    claimed_pos BIGINT,
    PRIMARY KEY (user_id, device_id, algorithm, key_id)
);
CREATE INDEX one_time_keys_unclaimed ON one_time_keys (user_id, device_id, algorithm, pos, key_id)
    WHERE claimed_pos IS NULL;

-- What is handed out when a device has no one-time key left: one for each algorithm.
CREATE TABLE fallback_keys (
    user_id BIGINT NOT NULL,
    device_id TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    key_id TEXT NOT NULL,
    digest BYTEA NOT NULL,
    sealed BYTEA NOT NULL,
    used BIGINT NOT NULL,
    pos BIGINT NOT NULL,
    PRIMARY KEY (user_id, device_id, algorithm)
);

-- Messages that wait for a device, until it proves that it has them.
CREATE TABLE to_device_messages (
    user_id BIGINT NOT NULL,
    device_id TEXT NOT NULL,
    pos BIGINT NOT NULL,
    send_id TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (user_id, device_id, pos)
);

-- Sends that are done, so that a retry does nothing; `request` is a keyed hash of the
-- transaction id.
CREATE TABLE to_device_sends (
    user_id BIGINT NOT NULL,
    device_id TEXT NOT NULL,
    request BYTEA NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (user_id, device_id, request)
);
CREATE INDEX to_device_sends_at ON to_device_sends (at);

-- Versions of key backups; a deleted one keeps its number, so that it is never given again.
CREATE TABLE key_backups (
    user_id BIGINT NOT NULL,
    version BIGINT NOT NULL,
    algorithm TEXT NOT NULL,
    auth_data BYTEA,
    etag BIGINT NOT NULL,
    deleted BIGINT NOT NULL,
    PRIMARY KEY (user_id, version)
);

-- Room keys in backups; what decides which of two keys is better stays readable.
CREATE TABLE key_backup_sessions (
    user_id BIGINT NOT NULL,
    version BIGINT NOT NULL,
    room_id BIGINT NOT NULL,
    session_id TEXT NOT NULL,
    first_message_index BIGINT NOT NULL,
    forwarded_count BIGINT NOT NULL,
    is_verified BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (user_id, version, room_id, session_id)
);
