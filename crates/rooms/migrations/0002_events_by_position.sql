-- Events stand in the order of the log, and a transaction is found by half of its hash: a message
-- then changes as few pages as it can. The origins of older events are not carried over.
CREATE TABLE events_by_position (
    pos BIGINT NOT NULL PRIMARY KEY,
    event_id TEXT NOT NULL UNIQUE,
    room BIGINT NOT NULL,
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
    -- The PDU and, behind it, the sending device and its transaction id, for the echo to it.
    sealed BYTEA NOT NULL
);
INSERT INTO events_by_position (pos, event_id, room, ord, depth, type, state_key, sender, ts,
    relation_type, relates_to, redacts, redacted_by, has_url, rejected, sealed)
    SELECT pos, event_id, room, ord, depth, type, state_key, sender, ts,
    relation_type, relates_to, redacts, redacted_by, has_url, rejected, sealed
    FROM events ORDER BY pos;

CREATE TABLE transactions_by_position (
    pos BIGINT NOT NULL PRIMARY KEY,
    hash BYTEA NOT NULL UNIQUE
);
INSERT INTO transactions_by_position (pos, hash)
    SELECT e.pos, substr(t.hash, 1, 16) FROM transactions t
    JOIN events e ON e.event_id = t.event_id ORDER BY e.pos;

DROP TABLE transactions;
DROP TABLE events;
ALTER TABLE events_by_position RENAME TO events;
ALTER TABLE transactions_by_position RENAME TO transactions;

CREATE UNIQUE INDEX events_timeline ON events (room, ord);
CREATE INDEX events_relations ON events (relates_to, relation_type) WHERE relates_to IS NOT NULL;
