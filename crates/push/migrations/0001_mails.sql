-- The last mail of each pusher that sends mails: when it went, how many went since its owner has
-- read anything, where the log was then, and up to where mails have told what is unread. Written
-- outside the log, by whoever holds the worker's lease.
CREATE TABLE push_mails (
    pusher BIGINT NOT NULL PRIMARY KEY,
    mailed_at BIGINT NOT NULL,
    in_a_row BIGINT NOT NULL,
    pos BIGINT NOT NULL,
    told_up_to BIGINT NOT NULL
);
