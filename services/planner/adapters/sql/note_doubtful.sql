-- Note the version held of everyone whom the versions noted of the log do not explain: who is not
-- told of there, or held here from a higher version.
INSERT INTO rebuild_streams AS noted (stream_id, version, held)
SELECT recipients.person_id, 0, recipients.version
FROM recipients
LEFT JOIN rebuild_streams AS known ON known.stream_id = recipients.person_id
WHERE known.version IS NULL OR recipients.version > known.version
ON CONFLICT (stream_id) DO UPDATE SET held = excluded.held
