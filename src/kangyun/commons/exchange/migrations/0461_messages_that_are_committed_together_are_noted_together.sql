-- Notes messages as stored inside of the commit of their records; gives how many of them were not stored before. Their rows are
-- found by their keys: the plan is made once, perhaps while the table is still empty.
CREATE FUNCTION raw_message_store(
    sender_keys bigint[], ids bigint[], times timestamptz[], patients text[], kinds text[], events timestamptz[],
    askeds integer[], filleds integer[], codes_ integer[], codeds integer[], matchings text[], entries_ integer[]
) RETURNS bigint
LANGUAGE plpgsql SET plan_cache_mode = 'force_generic_plan' SET enable_seqscan = 'off' SET enable_hashjoin = 'off' SET enable_mergejoin = 'off' AS $$
DECLARE
    noted bigint;
BEGIN
    UPDATE raw_message m SET state = 'stored', handled = g.handled, reason = NULL, patient = coalesce(g.patient, m.patient),
        kind = g.kind, next_try = NULL, occurred = g.occurred, asked = g.asked, filled = g.filled, codes = g.codes,
        coded = g.coded, matching = g.matching, entries = g.entries
    FROM unnest(sender_keys, ids, times, patients, kinds, events, askeds, filleds, codes_, codeds, matchings, entries_)
        AS g(sender_key, id, handled, patient, kind, occurred, asked, filled, codes, coded, matching, entries)
    WHERE m.sender_key = g.sender_key AND m.id = g.id AND m.state <> 'stored';
    GET DIAGNOSTICS noted = ROW_COUNT;
    RETURN noted;
END $$;
