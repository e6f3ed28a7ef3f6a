-- What relates to an event is found by that event and in the order of the timeline, what one
-- sender said to it in the order of time, and the threads of a room by what was said last. Events
-- that relate to nothing stand in none of these.
DROP INDEX events_relations;
CREATE INDEX events_children ON events (room, relates_to, relation_type, ord)
    WHERE relates_to IS NOT NULL;
CREATE INDEX events_answers ON events (room, relates_to, relation_type, sender, ts)
    WHERE relates_to IS NOT NULL;
CREATE INDEX events_threads ON events (room, ord, relates_to)
    WHERE relation_type = 'm.thread';

-- Which annotations stand, so that nobody says the same of an event twice. The hash is keyed: of
-- room, event, sender, type and what is said. Those of before are not known.
CREATE TABLE annotations (
    pos BIGINT NOT NULL PRIMARY KEY,
    hash BYTEA NOT NULL UNIQUE
);
