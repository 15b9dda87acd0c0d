-- Everything that placing a Patient asks of the identity table, in one round trip: the locks first, then what is there. Each
-- statement of the function sees what was committed before it, so those who waited see what they waited for.
--   locks      blocking keys and numbers; two who bring the same person wait for each other
--   keys, numbers, residents, person   of whom all rows of the persons are given
-- Key by key, and by index alone: the plan is made once, perhaps while the table is still empty.
CREATE FUNCTION identity_around(locks bigint[], keys_ bigint[], numbers_ bigint[], residents bigint[], person_ text)
RETURNS SETOF identity
LANGUAGE plpgsql VOLATILE SET plan_cache_mode = 'force_generic_plan' SET enable_seqscan = 'off' AS $$
DECLARE
    near text[] := ARRAY[person_];
    part text[];
    one bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(s.k) FROM (SELECT DISTINCT u AS k FROM unnest(locks) u ORDER BY u) s;
    SELECT near || array_agg(i.person) INTO part FROM identity i WHERE i.resident = ANY(residents);
    near := coalesce(part, near);
    FOREACH one IN ARRAY keys_ LOOP
        SELECT near || array_agg(i.person) INTO part FROM identity i WHERE i.keys @> ARRAY[one];
        near := coalesce(part, near);
    END LOOP;
    FOREACH one IN ARRAY numbers_ LOOP
        SELECT near || array_agg(i.person) INTO part FROM identity i WHERE i.numbers @> ARRAY[one];
        near := coalesce(part, near);
    END LOOP;
    RETURN QUERY SELECT i.* FROM identity i WHERE i.person = ANY(ARRAY(SELECT DISTINCT n FROM unnest(near) n))
        ORDER BY i.person, i.updated, i.patient;
END $$;
