-- The Patients of several messages that are looked for at one time by their numbers: `numbers_` are literals of bigint[]. By index
-- alone: the plan is made once, perhaps while the table is still empty.
CREATE FUNCTION identity_own(sources text[], numbers_ text[]) RETURNS TABLE (place bigint, patient text)
LANGUAGE plpgsql STABLE SET plan_cache_mode = 'force_generic_plan' SET enable_seqscan = 'off' AS $$
BEGIN
    RETURN QUERY SELECT u.place, i.patient FROM unnest(sources, numbers_) WITH ORDINALITY AS u(source, numbers, place)
        CROSS JOIN LATERAL (SELECT o.patient FROM identity o WHERE o.numbers && u.numbers::bigint[] AND o.source = u.source) i
        ORDER BY u.place, i.patient;
END $$;
