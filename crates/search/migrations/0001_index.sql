-- Where each word stands in each room: keyed tokens of words, and the places in the timeline, in
-- sealed blocks. No place in a block is before its `first`, and none is at or behind that of the
-- next.
CREATE TABLE search_postings (
    room BIGINT NOT NULL,
    token BIGINT NOT NULL,
    first BIGINT NOT NULL,
    postings BYTEA NOT NULL,
    PRIMARY KEY (room, token, first)
);

-- By which tokens each event is found, sealed, so that they are taken away with it.
CREATE TABLE search_events (
    pos BIGINT NOT NULL PRIMARY KEY,
    tokens BYTEA NOT NULL
);
