-- name: count
INSERT INTO unknown_code (sender_key, sender, system, code, display, role, number, first_seen, last_seen)
SELECT u.sender_key, u.sender, u.system, u.code, u.display, u.role, u.number, $8, $8
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[])
    AS u(sender_key, sender, system, code, display, role, number)
ORDER BY u.sender_key, u.system, u.code, u.role
ON CONFLICT (sender_key, system, code, role) DO UPDATE SET number = unknown_code.number + excluded.number,
    last_seen = excluded.last_seen, display = CASE WHEN excluded.display = '' THEN unknown_code.display ELSE excluded.display END;

-- name: listed
SELECT sender_key, sender, system, code, display, role, number, first_seen, last_seen, state, target_system, target_code, decided, decided_by, recoded
FROM unknown_code
WHERE state = $1 AND ($2::text IS NULL OR sender = $2) AND ($3::text IS NULL OR role = $3)
    AND ($4::text IS NULL OR strpos(lower(code || ' ' || display), lower($4)) > 0)
ORDER BY CASE WHEN $1 = 'open' THEN NULL ELSE decided END DESC NULLS LAST, number DESC, system, code OFFSET $5 LIMIT $6;

-- name: one
SELECT sender_key, sender, system, code, display, role, number, first_seen, last_seen, state, target_system, target_code, decided, decided_by, recoded
FROM unknown_code WHERE sender_key = $1 AND system = $2 AND code = $3 AND role = $4;

-- name: states
SELECT state, count(*) AS number, sum(number)::bigint AS said FROM unknown_code GROUP BY state;

-- name: senders
SELECT sender, count(*) AS number FROM unknown_code WHERE state = 'open' GROUP BY sender ORDER BY 2 DESC LIMIT 50;

-- name: decide
UPDATE unknown_code SET state = $3, target_system = $4, target_code = $5, decided = $6, decided_by = $7, recoded = NULL
WHERE system = $1 AND code = $2
RETURNING role;

-- name: recoded
UPDATE unknown_code SET recoded = $3 WHERE system = $1 AND code = $2;
