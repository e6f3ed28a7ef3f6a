-- Wrapped by the master key, which is never in the database.
CREATE TABLE seal_wrapping_keys (
    id BIGINT NOT NULL PRIMARY KEY,
    wrapped BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);

-- Wrapped by a wrapping key. A scope is a room's month, a user, the deployment, or the
-- key of the blind indexes.
CREATE TABLE seal_data_keys (
    id BIGINT NOT NULL PRIMARY KEY,
    scope TEXT NOT NULL,
    generation BIGINT NOT NULL,
    wrapped BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (scope, generation)
);
