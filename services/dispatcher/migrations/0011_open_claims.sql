-- A claim's row fits a page with all its 500 persons. It is there for a moment: kept whole and as it
-- is, it costs half of what compressing it, cutting it up and indexing the pieces does.
ALTER TABLE open_claims SET (toast_tuple_target = 8160);
