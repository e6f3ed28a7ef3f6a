-- One row for each file; its content is a blob, sealed under a key that only this row holds.
CREATE TABLE media (
    id TEXT NOT NULL PRIMARY KEY,
    pos BIGINT NOT NULL,
    -- Who uploaded it: an interned user id.
    owner BIGINT NOT NULL,
    -- The blob's id, which is not the file's: who lists the blobs learns no address.
    blob TEXT NOT NULL UNIQUE,
    -- Of the plain content.
    size_bytes BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    -- Sealed.
    file_key BYTEA NOT NULL,
    content_type BYTEA,
    file_name BYTEA
);
CREATE INDEX media_of_owner ON media (owner, pos);
