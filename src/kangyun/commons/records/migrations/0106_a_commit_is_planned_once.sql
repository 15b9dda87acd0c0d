-- A commit finds everything by keys, one or ten thousand of them. Left to choose, PostgreSQL planned each of its statements
-- anew, since it expects more of an array that it does not know; that took a fifth of a small commit. A plan that is made
-- once must not have been made for an empty table: it goes by the indexes.
ALTER FUNCTION record_commit(record_entry[])
    SET plan_cache_mode = 'force_generic_plan' SET enable_seqscan = 'off' SET enable_hashjoin = 'off' SET enable_mergejoin = 'off';
