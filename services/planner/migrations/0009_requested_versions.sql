-- By which version of its person an occurrence was requested last, NULL where it never was.
-- 0: a rebuild made the row anew, and what it replaces may have been requested.
ALTER TABLE plan ADD COLUMN requested_version integer;
