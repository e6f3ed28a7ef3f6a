-- What a client of simplified sliding sync has been told of, by connection: the last positions.
-- Written outside the log, for it concerns nobody else; who finds nothing here starts again.
CREATE TABLE sliding_connections (
    user_id BIGINT NOT NULL,
    device_id TEXT NOT NULL,
    name TEXT NOT NULL,
    generation BIGINT NOT NULL,
    made_at BIGINT NOT NULL,
    known TEXT NOT NULL,
    PRIMARY KEY (user_id, device_id, name, generation)
);
CREATE INDEX sliding_connections_made_at ON sliding_connections (made_at);
