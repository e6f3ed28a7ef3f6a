-- What a user has left here to become a device again: at most one each. Its identity, one-time and
-- fallback keys and its waiting messages stand where those of other devices do.
CREATE TABLE dehydrated_devices (
    user_id BIGINT NOT NULL PRIMARY KEY,
    device_id TEXT NOT NULL,
    device_data BYTEA NOT NULL,
    display_name BYTEA,
    pos BIGINT NOT NULL
);
