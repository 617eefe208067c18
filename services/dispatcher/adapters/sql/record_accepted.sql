-- Record that mails were accepted (step 1) and end their claim.
-- $1 now (calendar), $2 the claim that ends here, $3 the provider. One item per mail: $4 persons,
-- $5 message ids, $6 the place of its case. One item per case, which many mails share: $7 local days,
-- $8 kinds, $9 releases, $10 periods, $11 due instants, $12 versions of the text.
-- Raises a unique violation, and records nothing, where any has an outcome already: then
-- record_outcomes.sql finds out which.
--
-- The claim's row is deleted first. Whoever looks for lapsed claims locks that row before it writes
-- its events; in the other order the two could wait for each other in a circle.
WITH closed AS MATERIALIZED (
    DELETE FROM open_claims WHERE open_claims.claim_id = $2 RETURNING open_claims.claim_id
)
INSERT INTO delivery_events (
    local_day, person_id, kind, release, step, type, period, due_at, recorded_at, provider,
    message_id, template_version
)
SELECT
    ($7::date[])[mail.case_place], mail.person_id, ($8::text[])[mail.case_place],
    ($9::integer[])[mail.case_place], 1, 'accepted', ($10::date[])[mail.case_place],
    ($11::timestamptz[])[mail.case_place], $1, $3, mail.message_id,
    ($12::integer[])[mail.case_place]
FROM unnest($4::uuid[], $5::text[], $6::integer[]) AS mail (person_id, message_id, case_place)
WHERE (SELECT count(*) FROM closed) >= 0
ORDER BY 1, 2, 3, 4
