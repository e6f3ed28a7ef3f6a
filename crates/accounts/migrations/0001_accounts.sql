-- People.
CREATE TABLE accounts (
    user_id BIGINT NOT NULL PRIMARY KEY,
    admin BIGINT NOT NULL,
    password_hash TEXT,
    created_at BIGINT NOT NULL,
    deactivated_at BIGINT,
    erased BIGINT NOT NULL,
    pos BIGINT NOT NULL
);
CREATE INDEX accounts_admin ON accounts (user_id) WHERE admin = 1;

-- What people tell of themselves; the value is sealed JSON, NULL once it is taken back.
CREATE TABLE profile_fields (
    user_id BIGINT NOT NULL,
    field TEXT NOT NULL,
    value BYTEA,
    pos BIGINT NOT NULL,
    PRIMARY KEY (user_id, field)
);
CREATE INDEX profile_fields_pos ON profile_fields (pos);

-- A device is a session: signing in again on it begins another one. `session` is the position
-- of its sign-in; tokens of `generation` are in use, those of `next_generation` (0: none) were
-- handed out by a refresh and not used yet.
CREATE TABLE devices (
    user_id BIGINT NOT NULL,
    device_id TEXT NOT NULL,
    session BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    next_generation BIGINT NOT NULL,
    display_name BYTEA,
    created_at BIGINT NOT NULL,
    pos BIGINT NOT NULL,
    PRIMARY KEY (user_id, device_id)
);

-- Tokens, as SHA-256.
CREATE TABLE access_tokens (
    hash BYTEA NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL,
    device_id TEXT NOT NULL,
    session BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    expires_at BIGINT
);
CREATE INDEX access_tokens_session ON access_tokens (session, generation);
CREATE TABLE refresh_tokens (
    hash BYTEA NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL,
    device_id TEXT NOT NULL,
    session BIGINT NOT NULL,
    generation BIGINT NOT NULL
);
CREATE INDEX refresh_tokens_session ON refresh_tokens (session, generation);
CREATE TABLE login_tokens (
    hash BYTEA NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX login_tokens_expiry ON login_tokens (expires_at);

-- What lets people register. `id` is the position at which it was made.
CREATE TABLE registration_tokens (
    id BIGINT NOT NULL PRIMARY KEY,
    hash BYTEA NOT NULL UNIQUE,
    invitation BIGINT NOT NULL,
    localpart TEXT,
    uses_allowed BIGINT,
    uses BIGINT NOT NULL,
    expires_at BIGINT,
    created_at BIGINT NOT NULL
);
-- Nonces of shared-secret registration that were used, until they expire.
CREATE TABLE spent_nonces (
    hash BYTEA NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX spent_nonces_expiry ON spent_nonces (expires_at);
CREATE TABLE setup_links (
    hash BYTEA NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);

-- Account data; `room_id` 0 is global. The content is sealed JSON.
CREATE TABLE account_data (
    user_id BIGINT NOT NULL,
    room_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    content BYTEA NOT NULL,
    pos BIGINT NOT NULL,
    PRIMARY KEY (user_id, room_id, kind)
);
CREATE INDEX account_data_pos ON account_data (user_id, pos);

-- Filters; the id is a keyed hash of the content, so the same filter has the same id.
CREATE TABLE filters (
    user_id BIGINT NOT NULL,
    filter_id TEXT NOT NULL,
    content BYTEA NOT NULL,
    PRIMARY KEY (user_id, filter_id)
);

-- Outside the log: when and from where a device was last seen.
CREATE TABLE device_activity (
    user_id BIGINT NOT NULL,
    device_id TEXT NOT NULL,
    seen_at BIGINT NOT NULL,
    address TEXT,
    PRIMARY KEY (user_id, device_id)
);
