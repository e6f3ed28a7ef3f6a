-- In which room a user gets the server's notices; NULL in every other room.
ALTER TABLE rooms ADD COLUMN notices_for BIGINT;
CREATE UNIQUE INDEX rooms_notices_for ON rooms (notices_for) WHERE notices_for IS NOT NULL;

-- Who was sent which notice, by a keyed hash of its name.
CREATE TABLE sent_notices (
    hash BYTEA NOT NULL,
    user_id BIGINT NOT NULL,
    pos BIGINT NOT NULL,
    PRIMARY KEY (hash, user_id)
);
