-- A room and where its timeline stands.
CREATE TABLE rooms (
    room BIGINT NOT NULL PRIMARY KEY,
    version TEXT NOT NULL,
    head_event TEXT NOT NULL,
    depth BIGINT NOT NULL,
    last_pos BIGINT NOT NULL,
    state_pos BIGINT NOT NULL,
    published BIGINT NOT NULL
);
CREATE INDEX rooms_published ON rooms (room) WHERE published = 1;

-- Every event, as a sealed PDU. `pos` is when this deployment learned it; `ord` is its place in
-- the room's timeline, NULL when it has none.
CREATE TABLE events (
    event_id TEXT NOT NULL PRIMARY KEY,
    room BIGINT NOT NULL,
    pos BIGINT NOT NULL UNIQUE,
    ord BIGINT,
    depth BIGINT NOT NULL,
    type TEXT NOT NULL,
    state_key TEXT,
    sender BIGINT NOT NULL,
    ts BIGINT NOT NULL,
    relation_type TEXT,
    relates_to TEXT,
    redacts TEXT,
    redacted_by TEXT,
    has_url BIGINT NOT NULL,
    rejected BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    -- The sending device and its transaction id, for the echo in that device's sync.
    sealed_origin BYTEA
);
CREATE UNIQUE INDEX events_timeline ON events (room, ord);
CREATE INDEX events_senders ON events (room, sender, ord);
CREATE INDEX events_relations ON events (relates_to, relation_type) WHERE relates_to IS NOT NULL;

-- Written whenever resolved state changes; never rewritten.
CREATE TABLE state_changes (
    room BIGINT NOT NULL,
    type TEXT NOT NULL,
    state_key TEXT NOT NULL,
    ord BIGINT NOT NULL,
    pos BIGINT NOT NULL,
    event_id TEXT,
    -- Of a member event, so that who was where is found without opening anything.
    membership TEXT,
    PRIMARY KEY (room, type, state_key, ord)
);
CREATE INDEX state_changes_pos ON state_changes (room, pos);

-- Where each user stands now, for what begins at the user.
CREATE TABLE memberships (
    user_id BIGINT NOT NULL,
    room BIGINT NOT NULL,
    membership TEXT NOT NULL,
    event_id TEXT NOT NULL,
    pos BIGINT NOT NULL,
    forgotten BIGINT NOT NULL,
    PRIMARY KEY (user_id, room)
);
CREATE INDEX memberships_room ON memberships (room, membership);

-- Which event a client's transaction made, for a week. The hash is keyed: of user, device and
-- transaction.
CREATE TABLE transactions (
    hash BYTEA NOT NULL PRIMARY KEY,
    event_id TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX transactions_at ON transactions (at);

-- An alias is found by its keyed hash; its text is sealed.
CREATE TABLE aliases (
    hash BYTEA NOT NULL PRIMARY KEY,
    room BIGINT NOT NULL,
    creator BIGINT NOT NULL,
    pos BIGINT NOT NULL,
    sealed BYTEA NOT NULL
);
CREATE INDEX aliases_room ON aliases (room);

-- How far a user has read. An unthreaded receipt has an empty thread.
CREATE TABLE receipts (
    room BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    type TEXT NOT NULL,
    thread TEXT NOT NULL,
    event_id TEXT NOT NULL,
    ord BIGINT NOT NULL,
    ts BIGINT NOT NULL,
    pos BIGINT NOT NULL,
    PRIMARY KEY (room, user_id, type, thread)
);
CREATE INDEX receipts_pos ON receipts (room, pos);
