-- One service: a role without any privilege beside its own database, and that database.
-- Run by psql as a superuser; JUBILEE_ROLE and JUBILEE_ROLE_PASSWORD come from the environment.
-- Repeatable: an existing role gets the password, an existing database is kept.
\getenv role JUBILEE_ROLE
\getenv password JUBILEE_ROLE_PASSWORD

SELECT format('CREATE ROLE %I', :'role')
WHERE NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = :'role')
\gexec

ALTER ROLE :"role" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
-- Its guess at short statements over many partitions is bad: measured 300 ms lost per statement.
ALTER ROLE :"role" SET jit = off;

SELECT format('CREATE DATABASE %I OWNER %I', :'role', :'role')
WHERE NOT EXISTS (SELECT 1 FROM pg_database WHERE datname = :'role')
\gexec

REVOKE ALL ON DATABASE :"role" FROM PUBLIC;
