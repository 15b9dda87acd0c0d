-- name: take
INSERT INTO consult_seat (resident, encounter, party, session, seen) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (resident, encounter, party) DO UPDATE SET session = excluded.session, seen = excluded.seen
WHERE consult_seat.session = excluded.session OR consult_seat.seen < $6 OR $7
RETURNING session

-- name: leave
DELETE FROM consult_seat WHERE resident = $1 AND encounter = $2

-- name: go_live
INSERT INTO consult_live (practitioner, encounter, since) VALUES ($1, $2, $3)
ON CONFLICT (practitioner) DO UPDATE SET encounter = consult_live.encounter WHERE consult_live.encounter = excluded.encounter
RETURNING encounter

-- name: end_live
DELETE FROM consult_live WHERE encounter = $1

-- name: trim
DELETE FROM consult_seat WHERE seen < $1

-- name: last_seen
SELECT seen FROM consult_seat WHERE encounter = $1 AND party = $2

-- name: kept
SELECT EXISTS (SELECT FROM consult_seat WHERE resident = $1 AND encounter = $2 AND party = $3 AND session = $4 AND seen > $5)
