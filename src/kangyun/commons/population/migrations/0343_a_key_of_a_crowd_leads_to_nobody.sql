-- A number that a system puts in where it knows none, or a telephone of the clinic's own, is borne by thousands. Each of them would be
-- compared with all who came before. As in the batch, a key that more than `largest` records share is not used, unless they are few
-- persons: whoever was sent a thousand times is found again.
CREATE FUNCTION identity_sharing(keys_ bigint[], largest integer) RETURNS SETOF text
LANGUAGE sql STABLE SET enable_seqscan = 'off' AS $$
    SELECT DISTINCT p FROM (
        SELECT array_agg(DISTINCT i.person) AS persons FROM unnest(keys_) k
        CROSS JOIN LATERAL (SELECT person FROM identity WHERE keys @> ARRAY[k] LIMIT largest + 1) i
        GROUP BY k HAVING count(*) <= largest OR count(DISTINCT i.person) <= largest / 10
    ) sharing CROSS JOIN LATERAL unnest(sharing.persons) p
$$;

CREATE FUNCTION identity_arrival(locks bigint[], keys_ bigint[], numbers_ bigint[], residents bigint[], person_ text, largest integer)
RETURNS TABLE (patient text, person text, source text, assurance smallint, version integer, numbers bigint[], features text, judged text[])
LANGUAGE plpgsql VOLATILE SET plan_cache_mode = 'force_generic_plan' SET enable_seqscan = 'off' AS $$
DECLARE
    near text[];
    who bigint[];
    known text[];
BEGIN
    PERFORM pg_advisory_xact_lock(s.k) FROM (SELECT DISTINCT u AS k FROM unnest(locks) u ORDER BY u) s;
    -- As three queries: the planner of a single one cannot know that each side is small. All keys at once, which nearly always
    -- lead to few; one by one where they lead to a crowd.
    near := ARRAY(SELECT i.person FROM identity i WHERE i.keys && keys_ LIMIT largest + 1);
    IF cardinality(near) > largest THEN
        near := ARRAY(SELECT identity_sharing(keys_, largest));
    END IF;
    near := near
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
DROP FUNCTION identity_arrival(bigint[], bigint[], bigint[], bigint[], text);
