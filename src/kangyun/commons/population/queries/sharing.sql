-- name: keep
INSERT INTO shared_link (id, resident, patient, label, made, expires, passcode, content) VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: of_residents
SELECT l.id, l.label, l.made, l.expires, l.ended, l.passcode IS NOT NULL AS has_passcode, l.tries, count(o.*) AS openings, max(o.moment) AS last
FROM shared_link l LEFT JOIN shared_link_opening o ON o.resident = l.resident AND o.id = l.id AND o.opened
WHERE l.resident = ANY($1::bigint[]) GROUP BY l.id ORDER BY l.made DESC LIMIT 50;

-- name: end_link
UPDATE shared_link SET ended = $3 WHERE id = $1 AND resident = ANY($2::bigint[]) AND ended IS NULL RETURNING id;

-- name: find
SELECT resident, content, passcode, tries FROM shared_link WHERE id = $1 AND ended IS NULL AND expires > $2;

-- name: count_try
-- Before the passcode is looked at, in every process: nobody gets more tries by asking often at once.
UPDATE shared_link SET tries = tries + 1 WHERE id = $1 AND tries < $2 RETURNING tries;

-- name: right_try
UPDATE shared_link SET tries = tries - 1 WHERE id = $1;

-- name: note
INSERT INTO shared_link_opening (resident, id, moment, recipient, opened) VALUES ($1, $2, $3, $4, $5);
