-- Keep what blocks these people's mail, unless a higher revision is known. One array per column: $1
-- person, each once, $2 revision, $3 blocks. In order of person_id, so that batches with the same
-- people wait for each other instead of dying. How many were news is the command's count.
INSERT INTO blocks (person_id, revision, blocks)
SELECT incoming.person_id, incoming.revision, incoming.blocks
FROM unnest($1::uuid[], $2::int[], $3::jsonb[]) AS incoming (person_id, revision, blocks)
ORDER BY incoming.person_id
ON CONFLICT (person_id) DO UPDATE
SET revision = excluded.revision,
    blocks = excluded.blocks
WHERE blocks.revision < excluded.revision
