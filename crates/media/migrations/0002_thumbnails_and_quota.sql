-- One row for each id that was given out before its content: it goes when the content comes.
CREATE TABLE media_pending (
    id TEXT NOT NULL PRIMARY KEY,
    pos BIGINT NOT NULL,
    -- Who asked for it, and may upload to it: an interned user id.
    owner BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX media_pending_of_owner ON media_pending (owner, expires_at);
CREATE INDEX media_pending_by_expiry ON media_pending (expires_at);

-- One row for each thumbnail that was made; it is a blob like a file, under a key of its own.
CREATE TABLE media_thumbnails (
    -- The id of the file.
    media TEXT NOT NULL,
    width BIGINT NOT NULL,
    height BIGINT NOT NULL,
    method TEXT NOT NULL,
    pos BIGINT NOT NULL,
    blob TEXT NOT NULL UNIQUE,
    size_bytes BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    -- Sealed.
    file_key BYTEA NOT NULL,
    content_type BYTEA NOT NULL,
    PRIMARY KEY (media, width, height, method)
);

-- What each user has uploaded, so that nobody counts files while the log is locked.
CREATE TABLE media_usage (
    owner BIGINT NOT NULL PRIMARY KEY,
    files BIGINT NOT NULL,
    size_bytes BIGINT NOT NULL
);
INSERT INTO media_usage (owner, files, size_bytes)
    SELECT owner, COUNT(*), CAST(SUM(size_bytes) AS BIGINT) FROM media GROUP BY owner;
