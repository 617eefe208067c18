-- Note what keeps mail from the people $1 by now and return those of whom it differs from what was
-- noted last, each with the next revision. The caller has locked their contacts.
-- Most people have nothing in any of the three tables: they are left out first.
-- Reads contacts_pkey, suppressions_pkey, unsubscribes_pkey, blocks_pkey.
WITH concerned AS (
    SELECT person.person_id
    FROM contacts AS person
    JOIN suppressions AS suppression ON suppression.address = person.address
    WHERE person.person_id = ANY ($1::uuid[])
    UNION
    SELECT unsubscribe.person_id
    FROM unsubscribes AS unsubscribe
    WHERE unsubscribe.person_id = ANY ($1::uuid[])
    UNION
    SELECT noted.person_id FROM blocks AS noted WHERE noted.person_id = ANY ($1::uuid[])
)
INSERT INTO blocks (person_id, revision, blocks)
SELECT standing.person_id, 1, standing.blocks
FROM (
    SELECT
        concerned.person_id,
        coalesce(suppressed.blocks, '{}') || coalesce(unwanted.blocks, '{}') AS blocks
    FROM concerned
    LEFT JOIN LATERAL (
        SELECT jsonb_build_object('*', suppression.reason) AS blocks
        FROM contacts AS person
        JOIN suppressions AS suppression ON suppression.address = person.address
        WHERE person.person_id = concerned.person_id
        LIMIT 1
    ) AS suppressed ON TRUE
    CROSS JOIN LATERAL (
        SELECT jsonb_object_agg(unsubscribe.kind, 'unsubscribed') AS blocks
        FROM unsubscribes AS unsubscribe
        WHERE unsubscribe.person_id = concerned.person_id
    ) AS unwanted
) AS standing
LEFT JOIN LATERAL (
    SELECT noted.blocks FROM blocks AS noted WHERE noted.person_id = standing.person_id LIMIT 1
) AS known ON TRUE
WHERE standing.blocks <> coalesce(known.blocks, '{}')
ORDER BY standing.person_id
ON CONFLICT (person_id) DO UPDATE
SET revision = blocks.revision + 1,
    blocks = excluded.blocks
RETURNING blocks.person_id, blocks.revision, blocks.blocks
