-- Who is locked can do nothing but sign out; who is suspended can do little but read.
ALTER TABLE accounts ADD COLUMN locked BIGINT NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN suspended BIGINT NOT NULL DEFAULT 0;
-- The index of people asks for those who changed.
CREATE INDEX accounts_pos ON accounts (pos);

-- Tokens with which a person proves to another service who they are, as SHA-256.
CREATE TABLE openid_tokens (
    hash BYTEA NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX openid_tokens_expiry ON openid_tokens (expires_at);
CREATE INDEX openid_tokens_user ON openid_tokens (user_id, expires_at);
