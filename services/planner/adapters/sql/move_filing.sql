-- Note that people up to $2 are filed for kind $1, or at $3 everyone. The caller holds the row.
UPDATE kinds SET upto = coalesce($2, upto), filed_at = $3 WHERE kind = $1
