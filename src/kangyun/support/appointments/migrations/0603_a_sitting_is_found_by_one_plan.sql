-- Which sittings and numbers are asked for is given as arrays, and PostgreSQL planned the statement anew for each: half of what it
-- costs. Whatever is asked is found by keys, one or sixty of them: one plan is kept, which must not have been made for empty tables.
CREATE FUNCTION appointments_asked_for(p_sittings text[], p_numbers text[], p_channels text[], p_now timestamptz)
RETURNS TABLE (place bigint, sitting appointments_sitting, schedule appointments_schedule, free boolean)
LANGUAGE plpgsql STABLE
SET plan_cache_mode = 'force_generic_plan' SET enable_seqscan = 'off' SET enable_hashjoin = 'off' SET enable_mergejoin = 'off' AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
        SELECT q.place, t, c, EXISTS (
            SELECT 1 FROM appointments_number n
            WHERE n.sitting = t.id AND (q.number = '' OR n.id = q.number) AND n.state = 'free' AND n.free_at <= p_now AND n.starts > p_now
              AND n.channel IN ('', q.channel))
        FROM unnest(p_sittings, p_numbers, p_channels) WITH ORDINALITY AS q (sitting, number, channel, place)
        JOIN appointments_sitting t ON t.id = CASE WHEN q.sitting <> '' THEN q.sitting ELSE (SELECT f.sitting FROM appointments_number f WHERE f.id = q.number) END
        JOIN appointments_schedule c ON c.id = t.schedule;
END $$;
