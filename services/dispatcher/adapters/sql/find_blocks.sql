-- Return what keeps mail from the person $1, as last told to the world.
SELECT known.person_id, known.revision, known.blocks
FROM blocks AS known
WHERE known.person_id = $1
