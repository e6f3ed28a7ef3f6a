-- The commit log: one row for each batch, never changed.
CREATE TABLE log (
    log_id BIGINT NOT NULL,
    first_pos BIGINT NOT NULL,
    last_pos BIGINT NOT NULL,
    batch_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    touched TEXT NOT NULL,
    PRIMARY KEY (log_id, last_pos)
);
CREATE UNIQUE INDEX log_batch ON log (batch_id);

-- Locked by whoever commits; never updated, so it never bloats.
CREATE TABLE log_lock (
    log_id BIGINT NOT NULL PRIMARY KEY
);
INSERT INTO log_lock (log_id) VALUES (1);

-- What is true of the whole deployment, such as its server name.
CREATE TABLE facts (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
INSERT INTO facts (name, value) VALUES ('epoch', '1'), ('cluster_version', '1');

-- The integers that stand for users and rooms in every other table.
CREATE TABLE user_names (
    id BIGINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);
CREATE TABLE room_names (
    id BIGINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);
