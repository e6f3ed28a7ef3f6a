-- The tamper-evident record: one row for each act, never changed, `seq` without gaps.
-- Erasing what a record says of a person sets `sealed` to NULL; the chain stands without it.
CREATE TABLE audit_records (
    seq BIGINT NOT NULL PRIMARY KEY,
    pos BIGINT NOT NULL,
    at BIGINT NOT NULL,
    sealed BYTEA,
    commitment BYTEA NOT NULL,
    link BYTEA NOT NULL
);
