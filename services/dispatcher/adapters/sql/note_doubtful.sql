-- Note the version held of everyone whom the versions noted of the log do not explain: who is not
-- told of there, or held here from a higher version.
INSERT INTO rebuild_streams AS noted (stream_id, version, held)
SELECT person.person_id, 0, person.version
FROM contacts AS person
LEFT JOIN rebuild_streams AS known ON known.stream_id = person.person_id
WHERE known.version IS NULL OR person.version > known.version
ON CONFLICT (stream_id) DO UPDATE SET held = excluded.held
