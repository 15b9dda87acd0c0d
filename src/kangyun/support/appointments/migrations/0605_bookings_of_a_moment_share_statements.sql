-- Who books at the same moment shares a transaction: one statement locks all these people, one takes a number for each. What was
-- done for one alone is done for any number of them.

-- What somebody has booked, after waiting until nobody else books for the same person; a statement of its own after the locks,
-- because one that waited would still look at what was before. Locks are taken in one order, so that two groups never cross.
CREATE FUNCTION appointments_mine(
    p_locks bigint[], p_places bigint[], p_residents bigint[], p_accounts text[], p_day date, p_since timestamptz
) RETURNS TABLE (place bigint, booking appointments_booking)
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = 'force_generic_plan' SET enable_seqscan = 'off' SET enable_hashjoin = 'off' SET enable_mergejoin = 'off' AS $$
#variable_conflict use_column
BEGIN
    PERFORM pg_advisory_xact_lock(k.key) FROM (SELECT DISTINCT u AS key FROM unnest(p_locks) u ORDER BY u) k;
    RETURN QUERY
        SELECT q.place, b FROM unnest(p_places, p_residents) AS q (place, resident)
        JOIN appointments_booking b ON b.resident = q.resident AND b.day >= p_day
        UNION ALL
        SELECT a.place, b FROM unnest(p_accounts) WITH ORDINALITY AS a (account, place)
        JOIN appointments_booking b ON b.account = a.account AND b.booked >= p_since
        WHERE a.account <> '' AND NOT (b.day >= p_day AND EXISTS (
            SELECT FROM unnest(p_places, p_residents) AS q (place, resident) WHERE q.place = a.place AND q.resident = b.resident));
END $$;

-- Takes a free number for each booking: the named one, or the first that its channel may have. Whoever else is taking it at this
-- moment keeps it; nobody waits for a lock. A booking for which none is left is not in the answer.
CREATE FUNCTION appointments_take(p_wanted appointments_booking[], p_numbers text[])
RETURNS TABLE (place bigint, taken appointments_number)
LANGUAGE plpgsql VOLATILE SET plan_cache_mode = 'auto' AS $$
#variable_conflict use_column
DECLARE
    wanted appointments_booking;
BEGIN
    FOR n IN 1 .. cardinality(p_wanted) LOOP
        wanted := p_wanted[n];
        UPDATE appointments_number t SET state = 'taken', appointment = wanted.appointment
        WHERE t.id = (
            SELECT f.id FROM appointments_number f
            WHERE f.sitting = wanted.sitting AND (p_numbers[n] = '' OR f.id = p_numbers[n]) AND f.state = 'free' AND f.free_at <= wanted.booked
              AND f.starts > wanted.booked AND f.channel IN ('', wanted.channel)
            ORDER BY (f.channel = ''), f.number
            LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING t.* INTO taken;
        IF FOUND THEN
            wanted.number := taken.id;
            wanted.starts := taken.starts;
            INSERT INTO appointments_booking SELECT wanted.*;
            place := n;
            RETURN NEXT;
        END IF;
    END LOOP;
END $$;

DROP FUNCTION appointments_mine(bigint, bigint[], text, date, timestamptz);
DROP FUNCTION appointments_take(text, text, text, timestamptz, text);
