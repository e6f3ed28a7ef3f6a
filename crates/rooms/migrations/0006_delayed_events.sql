-- Events that are sent later, until they are, and for a while after that. An event is found by the
-- keyed hash of its delay id, or of the transaction that scheduled it; `due` is NULL once its fate
-- is decided, and `outcome` then says how.
CREATE TABLE delayed_events (
    hash BYTEA NOT NULL PRIMARY KEY,
    txn_hash BYTEA NOT NULL UNIQUE,
    user_id BIGINT NOT NULL,
    room BIGINT NOT NULL,
    type TEXT NOT NULL,
    state_key TEXT,
    delay_ms BIGINT NOT NULL,
    running_since BIGINT NOT NULL,
    due BIGINT,
    finalised_at BIGINT,
    outcome TEXT,
    event_id TEXT,
    -- Of its last change.
    pos BIGINT NOT NULL,
    -- The delay id, the content, and why it could not be sent.
    sealed BYTEA NOT NULL
);
CREATE INDEX delayed_events_due ON delayed_events (due, pos) WHERE due IS NOT NULL;
CREATE INDEX delayed_events_of_user ON delayed_events (user_id, pos);
CREATE INDEX delayed_events_finalised ON delayed_events (finalised_at)
    WHERE finalised_at IS NOT NULL;
