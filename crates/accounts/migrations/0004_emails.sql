-- Addresses of mail that stand for accounts. `address_hash` is a keyed hash of the address as it is
-- compared.
CREATE TABLE email_addresses (
    address_hash BYTEA NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL,
    address BYTEA NOT NULL,
    validated_at BIGINT NOT NULL,
    added_at BIGINT NOT NULL
);
CREATE INDEX email_addresses_user ON email_addresses (user_id, added_at);

-- Proofs, under way and done, that somebody reads an address. The id is a keyed hash of what they
-- are for, the address and the client's secret; `user_id` is whose password is to be replaced.
CREATE TABLE email_sessions (
    session_id TEXT NOT NULL PRIMARY KEY,
    secret_hash BYTEA NOT NULL,
    purpose BIGINT NOT NULL,
    address_hash BYTEA NOT NULL,
    address BYTEA NOT NULL,
    next_link BYTEA,
    send_attempt BIGINT NOT NULL,
    user_id BIGINT,
    validated_at BIGINT,
    expires_at BIGINT NOT NULL
);
CREATE INDEX email_sessions_expiry ON email_sessions (expires_at);

-- Mails to people about their accounts. The id is the SHA-256 of the secret in the mail's link, or
-- of any other secret; the content is sealed, and NULL once the mail was handed on.
CREATE TABLE account_mails (
    mail_id BYTEA NOT NULL PRIMARY KEY,
    address_hash BYTEA NOT NULL,
    session_id TEXT,
    content BYTEA,
    made_at BIGINT NOT NULL,
    pos BIGINT NOT NULL
);
CREATE INDEX account_mails_pos ON account_mails (pos) WHERE content IS NOT NULL;
CREATE INDEX account_mails_address ON account_mails (address_hash, made_at);
CREATE INDEX account_mails_age ON account_mails (made_at);
