-- Return how many people are there, the deleted left out. Reads recipients whole.
SELECT count(*) FROM recipients WHERE is_active
