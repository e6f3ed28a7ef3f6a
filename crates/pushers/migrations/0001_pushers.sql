-- Where people want to be told of what notifies them. `id` is the position in the log at which a
-- pusher was made; `hash` is a keyed hash of its application and push key, by which it is replaced
-- and removed; all that its client said of it is sealed.
CREATE TABLE pushers (
    id BIGINT NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    device_id TEXT NOT NULL,
    session BIGINT NOT NULL,
    sealed BYTEA NOT NULL
);
CREATE UNIQUE INDEX pushers_user ON pushers (user_id, hash);
CREATE INDEX pushers_hash ON pushers (hash);
