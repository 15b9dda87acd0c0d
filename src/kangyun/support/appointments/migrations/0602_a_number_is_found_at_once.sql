-- Of a sitting whose numbers run out most are taken: the next free one is the first of this index, not one of a hundred rows.
CREATE INDEX appointments_number_free ON appointments_number (sitting, (channel = ''), number) WHERE state = 'free';

-- Connections plan each statement with its values. What is found here is found by keys, whatever the values are: one plan is kept.
CREATE OR REPLACE FUNCTION appointments_take(
    p_sitting text, p_number text, p_channel text, p_now timestamptz, p_appointment text
) RETURNS SETOF appointments_number
LANGUAGE plpgsql VOLATILE SET plan_cache_mode = 'auto' AS $$
BEGIN
    RETURN QUERY UPDATE appointments_number n SET state = 'taken', appointment = p_appointment
    WHERE n.id = (
        SELECT f.id FROM appointments_number f
        WHERE f.sitting = p_sitting AND (p_number = '' OR f.id = p_number) AND f.state = 'free' AND f.free_at <= p_now
          AND f.starts > p_now AND f.channel IN ('', p_channel)
        ORDER BY (f.channel = ''), f.number
        LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING n.*;
END $$;

ALTER FUNCTION appointments_mine(bigint, bigint[], text, date, timestamptz) SET plan_cache_mode = 'auto';
