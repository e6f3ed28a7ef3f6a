-- Rooms that application services show as those of other networks. The name is of the service and
-- its network.
CREATE TABLE network_rooms (
    network TEXT NOT NULL,
    room BIGINT NOT NULL,
    PRIMARY KEY (network, room)
);
