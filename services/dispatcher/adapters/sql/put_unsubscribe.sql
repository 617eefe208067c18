-- Note that the person $1 does not want the kind $2 from $3 (calendar) on; an earlier word stays.
INSERT INTO unsubscribes (person_id, kind, since)
VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING
RETURNING unsubscribes.kind
