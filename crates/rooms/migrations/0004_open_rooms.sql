-- Which rooms are open to everybody is kept in memory; what changed since is found by position.
CREATE INDEX state_changes_openness ON state_changes (pos)
    WHERE type IN ('m.room.join_rules', 'm.room.history_visibility');
