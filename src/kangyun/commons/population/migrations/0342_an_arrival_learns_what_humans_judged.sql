-- Placing a Patient asks once: who shares a key, a number or an id, all members of their Persons, and what humans judged of any of
-- them. The keys go through the index together: sixteen of them one by one are sixteen queries.
--   judged   `first|second|state` of the pairs that humans decided, in the first row alone; NULL in the others
CREATE FUNCTION identity_arrival(locks bigint[], keys_ bigint[], numbers_ bigint[], residents bigint[], person_ text)
RETURNS TABLE (patient text, person text, source text, assurance smallint, version integer, numbers bigint[], features text, judged text[])
LANGUAGE plpgsql VOLATILE SET plan_cache_mode = 'force_generic_plan' SET enable_seqscan = 'off' AS $$
DECLARE
    near text[];
    who bigint[];
    known text[];
BEGIN
    PERFORM pg_advisory_xact_lock(s.k) FROM (SELECT DISTINCT u AS k FROM unnest(locks) u ORDER BY u) s;
    -- As three queries: the planner of a single one cannot know that each side is small.
    near := ARRAY(SELECT i.person FROM identity i WHERE i.keys && keys_)
        || ARRAY(SELECT i.person FROM identity i WHERE i.numbers && numbers_)
        || ARRAY(SELECT i.person FROM identity i WHERE i.resident = ANY(residents)) || person_;
    near := ARRAY(SELECT DISTINCT n FROM unnest(near) n);
    who := residents || ARRAY(SELECT i.resident FROM identity i WHERE i.person = ANY(near));
    known := ARRAY(
        SELECT c.first || '|' || c.second || '|' || c.state FROM candidate c WHERE c.resident = ANY(who) AND c.state <> 'open'
        UNION
        SELECT c.first || '|' || c.second || '|' || c.state FROM candidate c WHERE c.other = ANY(who) AND c.state <> 'open');
    RETURN QUERY SELECT i.patient, i.person, i.source, i.assurance, i.version, i.numbers, i.features,
        CASE WHEN row_number() OVER w = 1 THEN known END
        FROM identity i WHERE i.person = ANY(near) WINDOW w AS (ORDER BY i.person, i.updated, i.patient)
        ORDER BY i.person, i.updated, i.patient;
END $$;
DROP FUNCTION identity_around(bigint[], bigint[], bigint[], bigint[], text);
