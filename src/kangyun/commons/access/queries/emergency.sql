-- name: put
INSERT INTO emergency (resident, id, patient, person, account, practitioner, institution, role, reason, words, starts, ends)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)

-- name: open
INSERT INTO access_opening (resident, cause, part, kind, account, starts, ends) VALUES ($1, $2, 0, 'emergency', $3, $4, $5)

-- name: end
UPDATE access_opening SET ends = $2 WHERE cause = $1 AND kind = 'emergency' AND ends > $2

-- name: lock
SELECT pg_advisory_xact_lock(hashtextextended('emergency ' || $1 || ' ' || $2::bigint::text, 0))

-- name: standing
SELECT * FROM emergency e WHERE e.resident = ANY (access_same($1)) AND e.account = $2 AND e.ends > $3 AND e.verdict IS DISTINCT FROM 'abuse'
ORDER BY e.ends DESC LIMIT 1

-- name: one
SELECT * FROM emergency WHERE id = $1

-- name: told
UPDATE emergency SET told = $2 WHERE id = $1

-- name: judge
UPDATE emergency SET verdict = $2, remark = $3, reviewed = $4, reviewer = $5 WHERE id = $1 AND verdict IS NULL RETURNING account

-- name: waiting
SELECT e.*, (SELECT count(*) FROM emergency o WHERE o.account = e.account AND o.starts > e.starts - interval '1 day' AND o.starts <= e.starts) AS nth
FROM emergency e WHERE e.verdict IS NULL ORDER BY e.starts LIMIT $1

-- name: judged
SELECT e.*, (SELECT count(*) FROM emergency o WHERE o.account = e.account AND o.starts > e.starts - interval '1 day' AND o.starts <= e.starts) AS nth
FROM emergency e WHERE e.verdict = ANY ($1::text[]) ORDER BY e.reviewed DESC LIMIT $2

-- name: of_person
SELECT * FROM emergency WHERE resident = ANY ($1::bigint[]) AND starts > $2 ORDER BY starts DESC LIMIT 100

-- name: phone
SELECT id, phone FROM account WHERE person = $1 AND state = 'active' AND phone IS NOT NULL

-- name: phone_above
SELECT a.id, a.phone FROM access_identity i JOIN resource r ON r.key = i.person JOIN account a ON a.person = r.id
WHERE i.resident = $1 AND NOT r.deleted AND a.state = 'active' AND a.phone IS NOT NULL
