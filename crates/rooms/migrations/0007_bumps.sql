-- Where a room stands in lists that have the liveliest first: the position of the last event that
-- somebody is meant to read.
ALTER TABLE rooms ADD COLUMN bump_pos BIGINT NOT NULL DEFAULT 0;
UPDATE rooms SET bump_pos = COALESCE((SELECT e.pos FROM events e WHERE e.room = rooms.room
    AND e.ord IS NOT NULL AND e.type IN ('m.room.create', 'm.room.message', 'm.room.encrypted',
    'm.sticker', 'm.call.invite', 'm.poll.start', 'org.matrix.msc3381.poll.start', 'm.beacon_info')
    ORDER BY e.ord DESC LIMIT 1), last_pos);
