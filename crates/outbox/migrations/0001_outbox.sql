-- What waits to leave. A lane is a kind of delivery, a target one receiver of it, and what is
-- delivered is found by the position in the log at which it came to be: nothing of its content
-- stands here. Written outside the log, by whoever holds the lane's lease.
CREATE TABLE outbox (
    lane TEXT NOT NULL,
    target TEXT NOT NULL,
    pos BIGINT NOT NULL,
    queued_at BIGINT NOT NULL,
    PRIMARY KEY (lane, target, pos)
);

-- The targets for which something waits, and how it went the last times.
CREATE TABLE outbox_targets (
    lane TEXT NOT NULL,
    target TEXT NOT NULL,
    next_at BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    failing_since BIGINT,
    fault TEXT,
    PRIMARY KEY (lane, target)
);
CREATE INDEX outbox_targets_next_at ON outbox_targets (lane, next_at);

-- Dead letters: what was given up. An administrator looks at them, and has them tried again.
CREATE TABLE outbox_dead (
    lane TEXT NOT NULL,
    target TEXT NOT NULL,
    pos BIGINT NOT NULL,
    queued_at BIGINT NOT NULL,
    died_at BIGINT NOT NULL,
    fault TEXT NOT NULL,
    PRIMARY KEY (lane, target, pos)
);
CREATE INDEX outbox_dead_died_at ON outbox_dead (lane, died_at);
