-- Write each contact unless a higher version is there, which counts for nothing where $11 says so;
-- arrays by column, $10 the opt-outs joined by commas. What is the same already is left alone.
-- Copies beside each other lock people in one order.
INSERT INTO contacts AS held (
    person_id, version, schedule_version, state,
    email, address, first_name, last_name, locale, opt_outs
)
SELECT
    told.person_id, told.version, told.schedule_version, told.state,
    told.email, told.address, told.first_name, told.last_name, told.locale,
    string_to_array(told.opt_outs, ',')
FROM unnest(
    $1::uuid[], $2::integer[], $3::integer[], $4::text[],
    $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[]
) AS told (
    person_id, version, schedule_version, state,
    email, address, first_name, last_name, locale, opt_outs
)
ORDER BY told.person_id
ON CONFLICT (person_id) DO UPDATE
SET version = excluded.version,
    schedule_version = excluded.schedule_version,
    state = excluded.state,
    email = excluded.email,
    address = excluded.address,
    first_name = excluded.first_name,
    last_name = excluded.last_name,
    locale = excluded.locale,
    opt_outs = excluded.opt_outs
WHERE (excluded.version >= held.version OR held.person_id = ANY ($11::uuid[]))
  AND (
      held.version, held.schedule_version, held.state, held.email, held.address,
      held.first_name, held.last_name, held.locale, held.opt_outs
  ) IS DISTINCT FROM (
      excluded.version, excluded.schedule_version, excluded.state, excluded.email,
      excluded.address, excluded.first_name, excluded.last_name, excluded.locale,
      excluded.opt_outs
  )
