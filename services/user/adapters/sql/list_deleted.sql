-- Return up to $2 people deleted before the instant $1 (RFC 3339 text), longest ago first.
-- Reads people_deleted_idx.
SELECT people.person_id
FROM people
WHERE people.status = 'deleted'
  AND (people.state ->> 'deleted_at') COLLATE "C" < $1::text
ORDER BY (people.state ->> 'deleted_at') COLLATE "C"
LIMIT $2
