-- Let the person $1 have the kind $2 again.
DELETE FROM unsubscribes
WHERE unsubscribes.person_id = $1 AND unsubscribes.kind = $2
RETURNING unsubscribes.kind
