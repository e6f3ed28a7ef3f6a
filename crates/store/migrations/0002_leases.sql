-- Background work that one node does at a time. `fence` rises whenever the work changes hands: what
-- an earlier holder writes then is refused. `beats` moves while the holder lives, and is -1 when
-- nobody holds it. `pos` is up to where in the log the work is done. Written outside the log.
CREATE TABLE leases (
    name TEXT NOT NULL PRIMARY KEY,
    fence BIGINT NOT NULL,
    beats BIGINT NOT NULL,
    pos BIGINT NOT NULL
);
