-- Return up to $2 living people after id $1, in the order of their ids.
-- The id never changes, so pages neither skip nor repeat a person while data change. Reads the
-- primary key; "living" is said in other words than the partial indexes use, since a planner without
-- statistics would read one of those from end to end for every page.
SELECT people.state::text AS state
FROM people
WHERE people.status NOT IN ('deleted', 'erased')
  AND people.person_id > $1
ORDER BY people.person_id
LIMIT $2
