-- name: issue
INSERT INTO card (resident, patient, kind, state, issued, changed, deadline, pin) VALUES ($1, $2, $3, 'active', $4, $4, $5, $6)
ON CONFLICT DO NOTHING RETURNING issue;

-- name: number
-- The newest number is the current one; those before it stay as aliases.
INSERT INTO card_number (number, index_id, resident, patient, made, current) VALUES ($1, $2, $3, $4, $5, true)
ON CONFLICT (number) DO UPDATE SET current = true
WHERE card_number.resident = excluded.resident AND card_number.patient = excluded.patient
RETURNING number;

-- name: outdate
UPDATE card_number SET current = false WHERE resident = $1 AND patient = $2 AND number <> $3 AND current;

-- name: cards
-- The cards that hang on any of these Patients, with their current number.
SELECT c.resident, c.patient, c.kind, c.state, c.issue, c.issued, c.changed, c.deadline, c.joined, c.pin IS NOT NULL AS has_pin,
    c.pin_locked, n.number, n.index_id
FROM card c JOIN card_number n ON n.resident = c.resident AND n.patient = c.patient AND n.current
WHERE c.resident = ANY($1::bigint[]) AND c.patient = ANY($2::text[]) ORDER BY c.kind <> 'formal', c.issued DESC;

-- name: by_number
SELECT c.resident, c.patient, c.kind, c.state, c.issue, c.issued, c.changed, c.deadline, c.joined, c.pin IS NOT NULL AS has_pin,
    c.pin_locked, n.number, n.index_id
FROM card_number a JOIN card c ON c.resident = a.resident AND c.patient = a.patient
    JOIN card_number n ON n.resident = c.resident AND n.patient = c.patient AND n.current
WHERE a.number = $1;

-- name: numbers
SELECT number, index_id, made, current FROM card_number WHERE resident = $1 AND patient = $2 ORDER BY made DESC, number;

-- name: change
-- Only from the state that was seen: two who change one card at once do not both succeed.
UPDATE card SET state = $5, issue = issue + $6, changed = $4, joined = coalesce($7, joined)
WHERE resident = $1 AND patient = $2 AND state = $3 RETURNING issue;

-- name: set_pin
UPDATE card SET pin = $3, pin_tries = 0, pin_locked = NULL WHERE resident = $1 AND patient = $2;

-- name: try_pin
-- Counts the try before the PIN is looked at, in every process: the last allowed one locks, the right one unlocks again.
UPDATE card SET pin_tries = CASE WHEN pin_locked IS NULL THEN pin_tries + 1 ELSE 1 END,
    pin_locked = CASE WHEN (CASE WHEN pin_locked IS NULL THEN pin_tries + 1 ELSE 1 END) >= $4 THEN $5::timestamptz END
WHERE resident = $1 AND patient = $2 AND (pin_locked IS NULL OR pin_locked <= $3)
RETURNING pin;

-- name: right_pin
UPDATE card SET pin_tries = 0, pin_locked = NULL WHERE resident = $1 AND patient = $2;

-- name: show
INSERT INTO card_code (resident, patient, expires) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING expires;

-- name: shown
SELECT 1 FROM card_code WHERE resident = $1 AND patient = $2 AND expires = $3;

-- name: forget_codes
DELETE FROM card_code WHERE expires < $1;

-- name: use
INSERT INTO card_use (resident, patient, mark, moment, reported, way, step, terminal, channel, actor)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING RETURNING id;

-- name: uses
SELECT id, moment, way, step, terminal, channel, actor FROM card_use
WHERE resident = ANY($1::bigint[]) AND patient = ANY($2::text[]) ORDER BY moment DESC, id DESC LIMIT $3;

-- name: use_of
SELECT id, moment, way, step, terminal, channel, actor FROM card_use WHERE resident = $1 AND patient = $2 AND mark = $3;

-- name: event
INSERT INTO card_event (resident, patient, moment, event, actor, terminal) VALUES ($1, $2, $3, $4, $5, $6);

-- name: events
SELECT moment, event, actor, terminal FROM card_event
WHERE resident = ANY($1::bigint[]) AND patient = ANY($2::text[]) ORDER BY id DESC LIMIT $3;

-- name: revoked
-- Cards whose signed codes may still be about though they are no longer good: all that changed while such a code lasts.
SELECT n.number, c.state, c.issue, c.changed FROM card c JOIN card_number n ON n.resident = c.resident AND n.patient = c.patient
WHERE c.changed >= $1 AND (c.state <> 'active' OR c.issue > 1) ORDER BY c.changed, n.number;

-- name: guard
-- What is there came from the same button, pressed twice.
INSERT INTO guardianship (resident, ward, guardian, relation, proof, proof_number, since, until, recorded_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING;

-- name: wards
SELECT resident, ward, relation, proof, since, until FROM guardianship
WHERE guardian = ANY($1::text[]) AND ended IS NULL AND until > $2 ORDER BY since;

-- name: end_guard
UPDATE guardianship SET ended = $4 WHERE resident = ANY($1::bigint[]) AND ward = ANY($2::text[]) AND guardian = ANY($3::text[]) AND ended IS NULL;
