-- The transaction that an application service was sent last: from the first position that it tells
-- of to the last. Until the service has taken it, it is sent again under the same name. Written
-- outside the log, by whoever holds the lane's lease.
CREATE TABLE appservice_transactions (
    appservice TEXT NOT NULL PRIMARY KEY,
    first_pos BIGINT NOT NULL,
    last_pos BIGINT NOT NULL
);
