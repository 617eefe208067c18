-- Let the next row begin a new partition of $1 positions, if the one in use holds a row older than $2
-- seconds of real time; return where, or no row. What is skipped is a gap that nobody can fill.
-- The caller holds the cursor, so nobody else turns at the same time. Writers go on drawing between
-- the reading and the setting of the sequence: half a partition lies between the two at least.
-- Reads the primary key.
SELECT setval('outbox_position', (drawn.last_value + $1 + $1 / 2) / $1 * $1) AS begins_at
FROM outbox_position AS drawn
WHERE (
    SELECT oldest.recorded_at
    FROM outbox AS oldest
    WHERE oldest.position >= drawn.last_value / $1 * $1
    ORDER BY oldest.position
    LIMIT 1
) < clock_timestamp() - make_interval(secs => $2)
