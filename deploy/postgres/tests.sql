-- The tests' role: makes databases and roles of its own, but is no superuser, so that missing
-- grants fail in tests as they would in production.
-- Run by psql as a superuser; JUBILEE_ROLE_PASSWORD comes from the environment. Repeatable.
\getenv password JUBILEE_ROLE_PASSWORD

SELECT 'CREATE ROLE jubilee_test'
WHERE NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'jubilee_test')
\gexec

ALTER ROLE jubilee_test LOGIN NOSUPERUSER CREATEDB CREATEROLE PASSWORD :'password';
ALTER ROLE jubilee_test SET jit = off;
GRANT pg_read_all_stats TO jubilee_test;
GRANT pg_signal_backend TO jubilee_test;
