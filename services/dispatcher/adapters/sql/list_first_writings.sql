-- Of attempts (arrays: $1 local days, $2 persons, $3 kinds), those before which a provider may have
-- taken the same mail, with what it was first written from, by place: a repeat must be the same bytes.
-- That is so after an unknown outcome, unless the provider was asked and never saw the mail. The
-- recipient is NULL where the contact has not changed since; an attempt whose former address is
-- suppressed by now is left out, so that it is written anew.
-- "is_keyless": the attempt repeats that mail relying on its key, and not $4, the provider that would
-- get it now, took it under that key, or the key may be dead, $5 real seconds after the lease.
-- Reads delivery_events_pkey, former_contacts_pkey, suppressions_pkey.
SELECT
    asked.place, first.recorded_at, first.texts_as_of, first.years,
    former.email, former.first_name, former.last_name, former.locale,
    coalesce(last.reason = 'repeated', FALSE) AND (
        first.provider IS DISTINCT FROM $4
        OR clock_timestamp() >= first.lease_until + make_interval(secs => $5)
    ) AS is_keyless
FROM unnest($1::date[], $2::uuid[], $3::text[])
    WITH ORDINALITY AS asked (local_day, person_id, kind, place)
CROSS JOIN LATERAL (
    SELECT
        claim.recorded_at, claim.texts_as_of, claim.years, claim.person_version,
        claim.provider, claim.lease_until
    FROM delivery_events AS outcome
    JOIN delivery_events AS claim
        ON claim.local_day = outcome.local_day
        AND claim.person_id = outcome.person_id
        AND claim.kind = outcome.kind
        AND claim.release = outcome.release
        AND claim.step = 0
    WHERE outcome.local_day = asked.local_day
      AND outcome.person_id = asked.person_id
      AND outcome.kind = asked.kind
      AND outcome.step = 1
      AND outcome.type = 'unknown'
      AND claim.texts_as_of IS NOT NULL
      AND NOT EXISTS (
          SELECT FROM delivery_events AS settlement
          WHERE settlement.local_day = outcome.local_day
            AND settlement.person_id = outcome.person_id
            AND settlement.kind = outcome.kind
            AND settlement.release = outcome.release
            AND settlement.step = 2
            AND settlement.reason = 'never_arrived'
      )
    ORDER BY outcome.release
    LIMIT 1
) AS first
LEFT JOIN LATERAL (
    SELECT known.email, known.address, known.first_name, known.last_name, known.locale
    FROM former_contacts AS known
    WHERE known.person_id = asked.person_id AND known.version >= first.person_version
    ORDER BY known.version
    LIMIT 1
) AS former ON TRUE
LEFT JOIN LATERAL (
    SELECT settlement.reason
    FROM delivery_events AS settlement
    WHERE settlement.local_day = asked.local_day
      AND settlement.person_id = asked.person_id
      AND settlement.kind = asked.kind
      AND settlement.step = 2
    ORDER BY settlement.release DESC
    LIMIT 1
) AS last ON TRUE
WHERE NOT EXISTS (
    SELECT FROM suppressions AS suppressed WHERE suppressed.address = former.address
)
