-- By which version of its person an occurrence was requested last, NULL where it never was.
ALTER TABLE plan ADD COLUMN requested_version integer;
