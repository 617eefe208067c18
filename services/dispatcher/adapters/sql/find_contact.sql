-- Return what a mail to the person $1 is written from; no row for those who left.
SELECT person.email, person.first_name, person.last_name, person.locale
FROM contacts AS person
WHERE person.person_id = $1 AND person.state = 'active'
