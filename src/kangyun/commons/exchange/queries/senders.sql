-- name: last_change
SELECT coalesce(max(change), 0) FROM sender_registration;

-- name: registrations
SELECT DISTINCT ON (sender_key) sender, body, changed, actor, version FROM sender_registration ORDER BY sender_key, version DESC;

-- name: versions
SELECT sender, body, changed, actor, version FROM sender_registration WHERE sender_key = $1 ORDER BY version DESC LIMIT 50;

-- name: register
INSERT INTO sender_registration (sender_key, version, sender, body, changed, actor)
SELECT $1, coalesce(max(version), 0) + 1, $2, $3::jsonb, $4, $5 FROM sender_registration WHERE sender_key = $1;

-- name: pauses
SELECT sender_key, sender, since, actor FROM sender_pause;

-- name: pause
INSERT INTO sender_pause (sender_key, sender, since, actor) VALUES ($1, $2, $3, $4) ON CONFLICT (sender_key) DO NOTHING;

-- name: resume
DELETE FROM sender_pause WHERE sender_key = $1;

-- name: touched
-- The hours of arrival of messages that have changed since a moment.
SELECT DISTINCT date_trunc('hour', received) AS hour FROM raw_message WHERE handled >= $1 OR received >= $1 ORDER BY 1;

-- name: mark
SELECT until FROM sender_hour_mark;

-- name: set_mark
UPDATE sender_hour_mark SET until = $1;

-- name: count_hour
-- Counts all messages that arrived in the hour from $1 anew; $2 is how late (an interval) a message may come to be on time.
WITH rows AS MATERIALIZED (
    SELECT sender_key, sender, state, size, received, handled, occurred, asked, filled, codes, coded, matching,
        CASE WHEN state = 'quarantined' THEN reason::jsonb ->> 'key' END AS fault
    FROM raw_message WHERE received >= $1 AND received < $1::timestamptz + interval '1 hour'
), faults AS (
    SELECT sender_key, jsonb_object_agg(fault, number) AS reasons
    FROM (SELECT sender_key, fault, count(*) AS number FROM rows WHERE fault IS NOT NULL GROUP BY 1, 2) each_fault GROUP BY 1
)
INSERT INTO sender_hour (sender_key, hour, sender, stored, quarantined, duplicate, dismissed, waiting, bytes, latest, told,
    on_time, arrival_seconds, handled, handling_seconds, asked, filled, codes, coded, linked, reviewed, created, reasons, counted)
SELECT r.sender_key, $1, max(r.sender), count(*) FILTER (WHERE state = 'stored'), count(*) FILTER (WHERE state = 'quarantined'),
    count(*) FILTER (WHERE state = 'duplicate'), count(*) FILTER (WHERE state = 'dismissed'),
    count(*) FILTER (WHERE state = 'received'), sum(size), max(received),
    count(*) FILTER (WHERE occurred <= received), count(*) FILTER (WHERE occurred <= received AND received - occurred <= $2),
    coalesce(sum(extract(epoch FROM received - occurred)) FILTER (WHERE occurred <= received), 0),
    count(*) FILTER (WHERE state = 'stored'),
    coalesce(sum(extract(epoch FROM r.handled - received)) FILTER (WHERE state = 'stored'), 0),
    ARRAY[sum(asked & 1), sum(asked >> 1 & 1), sum(asked >> 2 & 1), sum(asked >> 3 & 1), sum(asked >> 4 & 1),
        sum(asked >> 5 & 1), sum(asked >> 6 & 1), sum(asked >> 7 & 1), sum(asked >> 8 & 1), sum(asked >> 9 & 1),
        sum(asked >> 10 & 1), sum(asked >> 11 & 1), sum(asked >> 12 & 1), sum(asked >> 13 & 1)]::int[],
    ARRAY[sum(filled & 1), sum(filled >> 1 & 1), sum(filled >> 2 & 1), sum(filled >> 3 & 1), sum(filled >> 4 & 1),
        sum(filled >> 5 & 1), sum(filled >> 6 & 1), sum(filled >> 7 & 1), sum(filled >> 8 & 1), sum(filled >> 9 & 1),
        sum(filled >> 10 & 1), sum(filled >> 11 & 1), sum(filled >> 12 & 1), sum(filled >> 13 & 1)]::int[],
    sum(r.codes), sum(r.coded), count(*) FILTER (WHERE matching = 'link'), count(*) FILTER (WHERE matching = 'review'),
    count(*) FILTER (WHERE matching = 'new'), coalesce((SELECT reasons FROM faults f WHERE f.sender_key = r.sender_key), '{}'), $3
FROM rows r GROUP BY r.sender_key
ON CONFLICT (sender_key, hour) DO UPDATE SET sender = excluded.sender, stored = excluded.stored, quarantined = excluded.quarantined,
    duplicate = excluded.duplicate, dismissed = excluded.dismissed, waiting = excluded.waiting, bytes = excluded.bytes,
    latest = excluded.latest, told = excluded.told, on_time = excluded.on_time, arrival_seconds = excluded.arrival_seconds,
    handled = excluded.handled, handling_seconds = excluded.handling_seconds, asked = excluded.asked, filled = excluded.filled,
    codes = excluded.codes, coded = excluded.coded, linked = excluded.linked, reviewed = excluded.reviewed,
    created = excluded.created, reasons = excluded.reasons, counted = excluded.counted;

-- name: hours
-- One sender's hours of a time.
SELECT * FROM sender_hour WHERE sender_key = $1 AND hour >= $2 AND hour < $3 ORDER BY hour;

-- name: totals
-- All senders over a time, each in one row.
SELECT sender_key, max(sender) AS sender, sum(stored) AS stored, sum(quarantined) AS quarantined, sum(duplicate) AS duplicate,
    sum(dismissed) AS dismissed, sum(waiting) AS waiting, sum(bytes) AS bytes, max(latest) AS latest, sum(told) AS told,
    sum(on_time) AS on_time, sum(arrival_seconds) AS arrival_seconds, sum(handled) AS handled,
    sum(handling_seconds) AS handling_seconds,
    ARRAY[sum(asked[1]), sum(asked[2]), sum(asked[3]), sum(asked[4]), sum(asked[5]), sum(asked[6]), sum(asked[7]),
        sum(asked[8]), sum(asked[9]), sum(asked[10]), sum(asked[11]), sum(asked[12]), sum(asked[13]), sum(asked[14])] AS asked,
    ARRAY[sum(filled[1]), sum(filled[2]), sum(filled[3]), sum(filled[4]), sum(filled[5]), sum(filled[6]), sum(filled[7]),
        sum(filled[8]), sum(filled[9]), sum(filled[10]), sum(filled[11]), sum(filled[12]), sum(filled[13]), sum(filled[14])] AS filled,
    sum(codes) AS codes, sum(coded) AS coded, sum(linked) AS linked, sum(reviewed) AS reviewed, sum(created) AS created
FROM sender_hour WHERE hour >= $1 AND hour < $2 AND ($3::bigint IS NULL OR sender_key = $3) GROUP BY sender_key;

-- name: reasons
-- Why messages were refused: by sender and message key over a time.
SELECT sender_key, fault.key AS reason, sum(fault.value::int) AS number
FROM sender_hour, jsonb_each_text(reasons) fault
WHERE hour >= $1 AND hour < $2 AND ($3::bigint IS NULL OR sender_key = $3) AND reasons <> '{}' GROUP BY 1, 2 ORDER BY 3 DESC;

-- name: habits
-- What each sender sends in each hour of the week, on average of the weeks since $1 in which it sent anything at all.
SELECT sender_key, max(sender) AS sender,
    (extract(isodow FROM (hour + interval '8 hours') AT TIME ZONE 'UTC')::int - 1) * 24
        + extract(hour FROM (hour + interval '8 hours') AT TIME ZONE 'UTC')::int AS slot,
    sum(stored + quarantined + duplicate + dismissed + waiting)::bigint AS number
FROM sender_hour WHERE hour >= $1 AND hour < $2 GROUP BY sender_key, 3;

-- name: heard
-- When each sender was first and last heard.
SELECT sender_key, max(sender) AS sender, min(hour) AS first, max(latest) AS latest FROM sender_hour GROUP BY sender_key;

-- name: silences
SELECT sender_key, sender, since, expected, noticed, ended FROM sender_silence WHERE ended IS NULL ORDER BY since;

-- name: silences_of
SELECT sender_key, sender, since, expected, noticed, ended FROM sender_silence WHERE sender_key = $1 ORDER BY since DESC LIMIT 20;

-- name: fell_silent
INSERT INTO sender_silence (sender_key, since, sender, expected, noticed) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (sender_key, since) DO UPDATE SET expected = excluded.expected;

-- name: heard_again
UPDATE sender_silence SET ended = $2 WHERE sender_key = $1 AND ended IS NULL;
