-- name: schedule
SELECT * FROM appointments_schedule WHERE id = $1

-- name: schedules_of
SELECT * FROM appointments_schedule WHERE institution = ANY($1::text[]) AND active ORDER BY kind, department, title, doctor, id

-- name: save_schedule
INSERT INTO appointments_schedule (id, institution, kind, department, examination, practitioner, service, house, title, doctor, rank, room, words,
    latitude, longitude, fee, outside, active)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
ON CONFLICT (id) DO UPDATE SET department = excluded.department, examination = excluded.examination, practitioner = excluded.practitioner,
    service = excluded.service, house = excluded.house, title = excluded.title, doctor = excluded.doctor, rank = excluded.rank, room = excluded.room,
    words = excluded.words, latitude = excluded.latitude, longitude = excluded.longitude, fee = excluded.fee, active = excluded.active

-- name: templates
SELECT id, schedule, weekday, begins, minutes, numbers, quotas, since, until FROM appointments_template WHERE schedule = ANY($1::text[]) ORDER BY weekday, begins, id

-- name: add_template
INSERT INTO appointments_template (schedule, weekday, begins, minutes, numbers, quotas, since, until)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id

-- name: end_template
UPDATE appointments_template SET until = $3 WHERE id = $1 AND schedule = $2 RETURNING id

-- name: departures
SELECT schedule, day, kind, begins, minutes, numbers, quotas, reason FROM appointments_exception WHERE schedule = ANY($1::text[]) AND day >= $2 ORDER BY day, begins

-- name: add_departure
INSERT INTO appointments_exception (schedule, day, kind, begins, minutes, numbers, quotas, reason) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (schedule, day, kind, begins) DO UPDATE SET minutes = excluded.minutes, numbers = excluded.numbers, quotas = excluded.quotas, reason = excluded.reason

-- name: drop_departure
DELETE FROM appointments_exception WHERE schedule = $1 AND day = $2 AND kind = $3

-- name: sitting
SELECT * FROM appointments_sitting WHERE id = $1

-- name: lock_sitting
SELECT * FROM appointments_sitting WHERE id = $1 FOR UPDATE

-- name: sitting_and_schedule
SELECT t AS sitting, c AS schedule FROM appointments_sitting t JOIN appointments_schedule c ON c.id = t.schedule WHERE t.id = $1

-- name: sittings_asked_for
SELECT place, sitting, schedule, free FROM appointments_asked_for($1, $2, $3, $4)

-- name: add_sitting
INSERT INTO appointments_sitting (id, schedule, day, starts, ends, practitioner, doctor, room) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (id) DO NOTHING RETURNING id

-- name: known_sittings
SELECT id FROM appointments_sitting WHERE schedule = $1 AND day >= $2

-- name: change_sitting
UPDATE appointments_sitting SET state = $2, reason = $3, practitioner = $4, doctor = $5, room = $6 WHERE id = $1

-- name: add_numbers
INSERT INTO appointments_number (id, sitting, number, starts, ends, channel, state, free_at)
SELECT u.id, u.sitting, u.number, u.starts, u.ends, u.channel, u.state, u.free_at
FROM unnest($1::text[], $2::text[], $3::smallint[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::text[], $8::timestamptz[])
    AS u (id, sitting, number, starts, ends, channel, state, free_at)
ON CONFLICT (id) DO NOTHING

-- name: numbers
SELECT * FROM appointments_number WHERE sitting = $1 ORDER BY number

-- name: number
SELECT * FROM appointments_number WHERE id = $1

-- name: lock_number
SELECT * FROM appointments_number WHERE id = $1 FOR UPDATE

-- name: give_back
UPDATE appointments_number SET state = 'free', appointment = '', free_at = $3, channel = '' WHERE id = $1 AND appointment = $2 AND state = 'taken' RETURNING *

-- name: close_numbers
UPDATE appointments_number SET state = 'closed' WHERE sitting = $1 AND state = 'free' RETURNING *

-- name: close_taken
UPDATE appointments_number SET state = 'closed', appointment = '' WHERE sitting = $1 AND state = 'taken' RETURNING *

-- name: open_numbers
UPDATE appointments_number SET state = 'free', free_at = $2, channel = '' WHERE sitting = $1 AND state = 'closed' RETURNING *

-- name: set_outside
UPDATE appointments_number SET state = $2 WHERE id = $1 AND state <> $2 AND state <> 'taken'

-- name: release
UPDATE appointments_number n SET channel = '',
    -- Who waits for one gets it before it is open to all.
    free_at = CASE WHEN EXISTS (SELECT 1 FROM appointments_booking b WHERE b.sitting = n.sitting AND b.state = 'waitlist')
                   THEN greatest(n.free_at, $2 + interval '2 minutes') ELSE n.free_at END
WHERE n.channel = $1 AND n.state = 'free' AND n.starts > $2 AND n.starts <= $3

-- name: sittings_between
SELECT t.*, count(n.id) AS total, count(n.id) FILTER (WHERE n.state = 'taken') AS taken,
       count(n.id) FILTER (WHERE n.state = 'free' AND n.free_at <= $4 AND n.starts > $4) AS free
FROM appointments_sitting t LEFT JOIN appointments_number n ON n.sitting = t.id
WHERE t.schedule = ANY($1::text[]) AND t.day BETWEEN $2 AND $3
GROUP BY t.id ORDER BY t.starts, t.id

-- name: offers
SELECT t.*, count(n.id) AS total,
       count(n.id) FILTER (WHERE n.state = 'free' AND n.free_at <= $3 AND n.starts > $3 AND n.channel IN ('', $2)) AS free,
       (SELECT count(*) FROM appointments_booking b WHERE b.sitting = t.id AND b.state = 'waitlist') AS waiting
FROM appointments_sitting t LEFT JOIN appointments_number n ON n.sitting = t.id
WHERE t.schedule = $1 AND t.day <= $4 AND t.ends > $3
GROUP BY t.id ORDER BY t.starts, t.id

-- name: find
SELECT c.*, f.sitting, f.starts AS next, f.free
FROM appointments_schedule c
LEFT JOIN LATERAL (
    SELECT t.id AS sitting, t.starts, count(n.id) AS free
    FROM appointments_sitting t JOIN appointments_number n ON n.sitting = t.id
    WHERE t.schedule = c.id AND t.state = 'open' AND t.day <= $8 AND t.ends > $7
      AND n.state = 'free' AND n.free_at <= $7 AND n.starts > $7 AND n.channel IN ('', $6)
    GROUP BY t.id ORDER BY t.starts LIMIT 1
) f ON true
WHERE c.active AND c.kind = $1
  AND ($2::text[] IS NULL OR c.department = ANY($2) OR split_part(c.department, '.', 1) = ANY($2))
  AND ($3 = '' OR c.institution = $3)
  AND ($4 = '' OR c.words LIKE '%' || $4 || '%')
  AND ($5 = '' OR c.examination = $5)
ORDER BY f.starts NULLS LAST, c.house, c.title, c.id
LIMIT $9

-- name: places
SELECT DISTINCT institution AS id, house AS name, latitude, longitude FROM appointments_schedule WHERE active AND ($1 = '' OR kind = $1) ORDER BY name, id

-- name: departments_in_use
SELECT DISTINCT department FROM appointments_schedule WHERE active AND kind = $1

-- name: due
SELECT t.id FROM appointments_sitting t WHERE NOT t.judged AND t.ends < $1 ORDER BY t.ends LIMIT $2

-- name: judged
UPDATE appointments_sitting SET judged = true WHERE id = $1

-- name: all_schedules
SELECT id FROM appointments_schedule WHERE active AND NOT outside ORDER BY id

-- name: take_for_waiting
UPDATE appointments_number n SET state = 'taken', appointment = $4
WHERE n.id = (
    SELECT f.id FROM appointments_number f
    WHERE f.sitting = $1 AND f.state = 'free' AND f.starts > $3 AND f.channel IN ('', $2)
    ORDER BY (f.channel = ''), f.number LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING n.*

-- name: widen_sitting
INSERT INTO appointments_sitting (id, schedule, day, starts, ends, room) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO UPDATE SET starts = least(appointments_sitting.starts, excluded.starts), ends = greatest(appointments_sitting.ends, excluded.ends)

-- name: next_number
SELECT coalesce(max(number), 0) + 1 FROM appointments_number WHERE sitting = $1
