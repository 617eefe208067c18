-- Return the state of person $1 and the wrapped data key. Reads two primary keys.
SELECT
    people.version, people.schedule_version, people.status, people.state::text AS state,
    person_keys.wrapped_key
FROM people
LEFT JOIN person_keys ON person_keys.person_id = people.person_id
WHERE people.person_id = $1
