-- name: mine
SELECT place, booking FROM appointments_mine($1, $2, $3, $4, $5, $6)

-- name: take
SELECT place, taken FROM appointments_take($1, $2)

-- name: line_up
INSERT INTO appointments_booking (appointment, resident, patient, person, sitting, institution, department, kind, day, starts, channel, state,
    based_on, account, source, key, booked)
VALUES ($4, $5, $6, $7, $1, $8, $9, $10, $11, $17, $2, $12, $13, $14, $15, $16, $3)

-- name: one
SELECT * FROM appointments_booking WHERE appointment = $1

-- name: lock
SELECT * FROM appointments_booking WHERE appointment = $1 FOR UPDATE

-- name: of_residents
SELECT * FROM appointments_booking WHERE resident = ANY($1::bigint[]) AND day >= $2 ORDER BY starts DESC, booked DESC

-- name: of_sitting
SELECT * FROM appointments_booking WHERE sitting = $1 ORDER BY starts, booked, appointment

-- name: holding
SELECT * FROM appointments_booking WHERE sitting = $1 AND state IN ('pending', 'booked', 'checked-in', 'arrived', 'waitlist') ORDER BY appointment FOR UPDATE

-- name: waiting
SELECT * FROM appointments_booking WHERE sitting = $1 AND state = 'waitlist' ORDER BY booked, appointment

-- name: sittings_waited_for
SELECT DISTINCT b.sitting FROM appointments_booking b WHERE b.state = 'waitlist' AND b.day >= $1
  AND EXISTS (SELECT 1 FROM appointments_number n WHERE n.sitting = b.sitting AND n.state = 'free' AND n.starts > $2)

-- name: waiting_over
SELECT b.* FROM appointments_booking b JOIN appointments_sitting t ON t.id = b.sitting
WHERE b.state = 'waitlist' AND t.ends < $1 ORDER BY b.appointment LIMIT $2

-- name: held_too_long
SELECT * FROM appointments_booking WHERE state = 'pending' AND held_until <= $1 ORDER BY held_until, appointment LIMIT $2

-- name: confirm
UPDATE appointments_booking SET state = $3, held_until = NULL WHERE appointment = $1 AND resident = $2

-- name: follow
UPDATE appointments_booking SET state = $3, ended = $4, late = $5 WHERE appointment = $1 AND resident = $2

-- name: serve
UPDATE appointments_booking SET state = 'booked', number = $3, starts = $4 WHERE appointment = $1 AND resident = $2

-- name: receive
UPDATE appointments_booking SET state = 'checked-in', place = $3, queued = $4 WHERE appointment = $1 AND resident = $2

-- name: call
UPDATE appointments_booking SET state = 'arrived', called = $3, calls = calls + 1 WHERE appointment = $1 AND resident = $2

-- name: pass_over
UPDATE appointments_booking SET state = 'checked-in', place = $3, called = NULL WHERE appointment = $1 AND resident = $2

-- name: excuse
UPDATE appointments_booking SET excused = true WHERE appointment = $1 AND resident = $2

-- name: next_in_line
SELECT * FROM appointments_booking WHERE sitting = $1 AND state = 'checked-in' ORDER BY place, queued, appointment LIMIT 1 FOR UPDATE

-- name: calling
SELECT coalesce(max(place), 0) FROM appointments_booking WHERE sitting = $1 AND state IN ('arrived', 'fulfilled')

-- name: of_day
SELECT b.* FROM appointments_booking b
WHERE b.resident = ANY($1::bigint[]) AND b.day = $2 AND b.institution = ANY($3::text[]) AND b.state IN ('booked', 'checked-in', 'arrived') ORDER BY b.starts, b.appointment

-- name: called_lately
SELECT b.*, t.room FROM appointments_booking b JOIN appointments_sitting t ON t.id = b.sitting JOIN appointments_schedule c ON c.id = t.schedule
WHERE c.institution = $1 AND ($2 = '' OR c.department = $2) AND t.day = $3 AND b.state = 'arrived' ORDER BY b.called DESC, b.appointment LIMIT 8

-- name: lines
SELECT t.id AS sitting, c.title, t.room, t.doctor, c.doctor AS usual, count(b.*) FILTER (WHERE b.state = 'checked-in') AS waiting
FROM appointments_sitting t JOIN appointments_schedule c ON c.id = t.schedule LEFT JOIN appointments_booking b ON b.sitting = t.id
WHERE c.institution = $1 AND ($2 = '' OR c.department = $2) AND t.day = $3 AND t.state = 'open' AND t.ends > $4
GROUP BY t.id, c.id ORDER BY t.starts, c.title, t.id LIMIT 12

-- name: crowded
SELECT source, count(DISTINCT person) AS persons, count(*) AS bookings, count(*) FILTER (WHERE state = 'cancelled') AS cancelled
FROM appointments_booking WHERE source <> '' AND booked >= $1 AND institution = ANY($2::text[]) AND channel = 'web'
GROUP BY source HAVING count(DISTINCT person) >= $3 ORDER BY persons DESC, source LIMIT 50
