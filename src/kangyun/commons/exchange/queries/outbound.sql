-- name: put
-- A delivery of the same change that is repeated puts nothing in twice.
INSERT INTO outbound (resident, receiver, message, seq, type, resource, version)
SELECT $1, unnest($2::text[]), unnest($3::text[]), $4, $5, $6, $7
ON CONFLICT (resident, receiver, message, seq) DO NOTHING;

-- name: due
-- The oldest waiting message of each resident, where its time has come: no message overtakes another of its resident.
SELECT * FROM (
    SELECT DISTINCT ON (resident) resident, id, message, seq, type, resource, version, tries, next_try, sealed, digest, body
    FROM outbound WHERE receiver = $1 AND state = 'waiting' ORDER BY resident, id
) oldest
WHERE next_try <= $2 ORDER BY id LIMIT $3;

-- name: write
UPDATE outbound SET sealed = $3, digest = $4, body = $5 WHERE resident = $1 AND id = $2 AND body IS NULL;

-- name: settle
UPDATE outbound SET state = $3, handled = $4, reason = $5, tries = tries + 1, body = CASE WHEN $3 = 'refused' THEN body END
WHERE resident = $1 AND id = $2 AND state = 'waiting';

-- name: postpone
UPDATE outbound SET tries = tries + 1, next_try = $3, reason = $4 WHERE resident = $1 AND id = $2 AND state = 'waiting';

-- name: take_turn
-- One process at a time tells a receiver, so that order holds; the turn ends with the connection at the latest.
SELECT pg_try_advisory_lock(hashtextextended('exchange.outbound/' || $1, 0));

-- name: end_turn
SELECT pg_advisory_unlock(hashtextextended('exchange.outbound/' || $1, 0));

-- name: counts
SELECT receiver, state, count(*) AS number, min(created) FILTER (WHERE state = 'waiting') AS oldest FROM outbound GROUP BY receiver, state;

-- name: again
UPDATE outbound SET state = 'waiting', handled = NULL, next_try = $2 WHERE receiver = $1 AND state = 'refused';

-- name: notices
-- What waits for one subscriber: it is told once of all of it.
SELECT max(id) AS last, coalesce(max(tries), 0) AS tries, max(next_try) FILTER (WHERE tries > 0) AS rest
FROM outbound WHERE receiver = $1 AND state = 'waiting';

-- name: settle_notices
UPDATE outbound SET state = $3, handled = $4, reason = $5, tries = tries + 1 WHERE receiver = $1 AND state = 'waiting' AND id <= $2;

-- name: postpone_notices
UPDATE outbound SET tries = tries + 1, next_try = $3, reason = $4 WHERE receiver = $1 AND state = 'waiting' AND id <= $2;
