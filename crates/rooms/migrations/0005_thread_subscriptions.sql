-- Which threads a user follows, and which they no longer want to. One row for each user and
-- thread, with the place in the log of what they said of it last.
CREATE TABLE thread_subscriptions (
    user_id BIGINT NOT NULL,
    room BIGINT NOT NULL,
    thread TEXT NOT NULL,
    subscribed BIGINT NOT NULL,
    -- Whether a client followed it by itself.
    automatic BIGINT NOT NULL,
    pos BIGINT NOT NULL,
    PRIMARY KEY (user_id, room, thread)
);
CREATE INDEX thread_subscriptions_pos ON thread_subscriptions (user_id, pos);
