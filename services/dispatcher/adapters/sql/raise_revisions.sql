-- Give up to $2 of the blocks after person $1 the next revision, so that they are news once more.
-- Whoever changes the same ones is waited for. Reads blocks_pkey.
UPDATE blocks
SET revision = blocks.revision + 1
FROM (
    SELECT noted.person_id
    FROM blocks AS noted
    WHERE noted.person_id > $1
    ORDER BY noted.person_id
    LIMIT $2
    FOR UPDATE
) AS next
WHERE blocks.person_id = next.person_id
RETURNING blocks.person_id, blocks.revision, blocks.blocks
