-- name: forget_rows
DELETE FROM held_row WHERE message = $1;

-- name: forget_some
DELETE FROM held_row WHERE message = $1 AND sheet = $2 AND row = ANY($3::integer[]);

-- name: forget_sheets
DELETE FROM table_sheet WHERE message = $1;

-- name: put_sheet
INSERT INTO table_sheet (message, sheet, kind, rows, stored, held, columns) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (message, sheet) DO UPDATE SET kind = excluded.kind, rows = excluded.rows, stored = excluded.stored,
    held = excluded.held, columns = excluded.columns;

-- name: put_rows
INSERT INTO held_row (message, sheet, row, col, label, reason)
SELECT $1, u.sheet, u.row, u.col, u.label, u.reason
FROM unnest($2::text[], $3::integer[], $4::integer[], $5::text[], $6::text[]) AS u(sheet, row, col, label, reason)
ON CONFLICT (message, sheet, row) DO UPDATE SET col = excluded.col, label = excluded.label, reason = excluded.reason;

-- name: sheets
SELECT sheet, kind, rows, stored, held, columns FROM table_sheet WHERE message = $1 ORDER BY sheet;

-- name: rows
SELECT sheet, row, col, label, reason FROM held_row WHERE message = $1 ORDER BY sheet, row LIMIT $2;

-- name: reasons
SELECT (reason::json ->> 'key') AS key, label, count(*) AS number FROM held_row WHERE message = $1
GROUP BY 1, 2 ORDER BY 3 DESC;

-- name: overtaken
-- Of these residents, those of whom the sender has told later than `until`: in a message, or in a row of a sheet.
SELECT p.patient, p.until FROM unnest($2::text[], $3::bigint[], $4::timestamptz[]) AS p(patient, resident, until)
WHERE EXISTS (
    SELECT FROM raw_message m WHERE m.patient = p.patient AND m.occurred > p.until AND m.state = 'stored' AND m.sender_key = $1
) OR EXISTS (SELECT FROM row_told t WHERE t.resident = p.resident AND t.sender_key = $1 AND t.told > p.until);

-- name: note_told
INSERT INTO row_told (resident, sender_key, told)
SELECT r.resident, $1, max(r.told) FROM unnest($2::bigint[], $3::timestamptz[]) AS r(resident, told) GROUP BY 1 ORDER BY 1
ON CONFLICT (resident, sender_key) DO UPDATE SET told = excluded.told WHERE row_told.told < excluded.told;

-- name: unrecognised
-- The sheets of a sender that wait with rows held for one of these reasons.
SELECT m.id, m.kind FROM raw_message m
WHERE m.sender_key = $1 AND m.state = 'quarantined' AND m.form = 'table'
    AND EXISTS (SELECT FROM held_row h WHERE h.message = m.id AND h.reason::json ->> 'key' = ANY($2::text[]))
ORDER BY m.id;
