-- name: patiently
SET LOCAL statement_timeout = '30min'

-- name: add
INSERT INTO audit_anomaly (id, rule, name, role, institution, day, resident, count, lane, seq, words, asker, found)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING RETURNING id

-- name: listed
SELECT * FROM audit_anomaly
WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR rule = $2)
ORDER BY state = 'open' DESC, found DESC, id LIMIT $3

-- name: counts
SELECT rule, count(*) AS n FROM audit_anomaly WHERE state = 'open' GROUP BY rule

-- name: one
SELECT * FROM audit_anomaly WHERE id = $1

-- name: judge
UPDATE audit_anomaly SET state = $2, remark = $3, reviewed = $4, reviewer = $5 WHERE id = $1 AND state = 'open' RETURNING id

-- name: asked_by
SELECT * FROM audit_anomaly WHERE rule = 'question' AND asker = $1 ORDER BY found DESC LIMIT 50

-- name: looks
SELECT name, (body::jsonb) ->> 'role' AS role, coalesce(institution, '') AS institution, (body::jsonb) ->> 'account' AS account,
       resident, count(*) AS n, count(*) FILTER (WHERE ((at AT TIME ZONE 'UTC') + interval '8 hours')::time >= $3 OR ((at AT TIME ZONE 'UTC') + interval '8 hours')::time < $4) AS night,
       count(*) FILTER (WHERE (body::jsonb) ->> 'purpose' = 'care') AS care, (array_agg(lane ORDER BY at DESC))[1] AS lane, (array_agg(seq ORDER BY at DESC))[1] AS seq
FROM audit_event, unnest(residents) resident
WHERE at >= $1 AND at < $2 AND outcome = 'ok' AND (body::jsonb) ->> 'role' = ANY ($5)
GROUP BY 1, 2, 3, 4, 5

-- name: refusals
SELECT name, (body::jsonb) ->> 'role' AS role, coalesce(institution, '') AS institution, count(*) AS n,
       (array_agg(lane ORDER BY at DESC))[1] AS lane, (array_agg(seq ORDER BY at DESC))[1] AS seq
FROM audit_event
WHERE at >= $1 AND at < $2 AND outcome = 'refused' AND (body::jsonb) ->> 'role' NOT IN ('system', 'anonymous')
GROUP BY 1, 2, 3

-- name: unrelated
SELECT l.resident, l.institution FROM unnest($1::bigint[], $2::bigint[]) AS l (resident, institution)
WHERE NOT EXISTS (
    SELECT FROM access_relation a WHERE a.resident = ANY (access_same(l.resident)) AND a.starts <= $4 AND a.ends > $3
    AND (a.institution = 0 OR a.institution IN (
        WITH RECURSIVE below (institution) AS (
            SELECT l.institution UNION SELECT i.institution FROM below b JOIN access_institution i ON i.parent = b.institution)
        SELECT institution FROM below)))

-- name: waiting_glasses
SELECT id, account, role, coalesce(institution, '') AS institution, resident, starts FROM emergency WHERE verdict IS NULL AND starts < $1

-- name: example
SELECT lane, seq FROM audit_event WHERE residents @> ARRAY[$1::bigint] AND at >= $2 AND action = 'emergency' ORDER BY at LIMIT 1

-- name: staff
SELECT a.id, a.practitioner, m.institution FROM account a JOIN membership m ON m.account = a.id WHERE a.kind = 'staff' AND m.institution = ANY ($1)

-- name: kin
SELECT ward AS person FROM account_ward WHERE guardian = ANY ($1) AND state = 'attested'
UNION SELECT guardian FROM account_ward WHERE ward = ANY ($1) AND state = 'attested'

-- name: patients_of
SELECT resident FROM access_identity WHERE person = ANY ($1)
