-- Lets upkeep find who was deleted longest ago: deleted people are few. The instants are RFC 3339 in
-- UTC, so they sort as texts but for fractions of a second.
CREATE INDEX people_deleted_idx ON people ((state ->> 'deleted_at') COLLATE "C")
    WHERE status = 'deleted';
