-- Lock the contact of the person $1 and return its state; no row for nobody.
SELECT person.state FROM contacts AS person WHERE person.person_id = $1 FOR NO KEY UPDATE
