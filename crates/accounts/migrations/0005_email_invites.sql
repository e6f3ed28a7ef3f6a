-- People who are known by an address alone and were invited into a room, until the address stands
-- for an account. The token is the state key of the event `m.room.third_party_invite`.
CREATE TABLE email_invites (
    address_hash BYTEA NOT NULL,
    room BIGINT NOT NULL,
    token TEXT NOT NULL,
    public_key TEXT NOT NULL,
    inviter BIGINT NOT NULL,
    made_at BIGINT NOT NULL,
    PRIMARY KEY (address_hash, room)
);
CREATE UNIQUE INDEX email_invites_token ON email_invites (token);
CREATE INDEX email_invites_key ON email_invites (public_key);
CREATE INDEX email_invites_inviter ON email_invites (inviter);
CREATE INDEX email_invites_age ON email_invites (made_at);
