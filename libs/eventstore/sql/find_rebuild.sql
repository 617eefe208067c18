-- How far a rebuild has come; no row: none was ever begun.
SELECT phase, after, events FROM rebuild
