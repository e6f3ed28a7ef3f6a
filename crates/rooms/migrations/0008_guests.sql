-- Who is a guest: they are only in rooms that let guests in.
CREATE TABLE guests (
    user_id BIGINT NOT NULL PRIMARY KEY
);
