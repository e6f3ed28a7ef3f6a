-- What people report: a person, a room, or an event with its room and sender. `id` is the position
-- at which it was reported; the reason is sealed.
CREATE TABLE reports (
    id BIGINT NOT NULL PRIMARY KEY,
    reporter BIGINT NOT NULL,
    user_id BIGINT,
    room BIGINT,
    event_id TEXT,
    at BIGINT NOT NULL,
    reason BYTEA NOT NULL
);
CREATE INDEX reports_reporter ON reports (reporter, id);
