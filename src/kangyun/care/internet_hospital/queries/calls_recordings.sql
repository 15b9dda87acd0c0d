-- name: begin
INSERT INTO call_recording (resident, id, encounter, patient, began, keep_until) VALUES ($1, $2, $3, $4, $5, $6)

-- name: end
UPDATE call_recording SET ended = $3 WHERE resident = $1 AND id = $2 AND ended IS NULL

-- name: whole
SELECT encounter, patient, began, ended, (SELECT count(*) FROM call_recording_part p WHERE p.resident = r.resident AND p.recording = r.id) AS parts
FROM call_recording r WHERE resident = $1 AND id = $2

-- name: part
-- Only while it runs: the row of the call is what withdrawing changes, so a part is either before it or refused.
INSERT INTO call_recording_part (resident, recording, number, content)
SELECT c.resident, c.recording, $4, $5 FROM call c
WHERE c.resident = $1 AND c.encounter = $2 AND c.recording = $3 FOR SHARE
ON CONFLICT (resident, recording, number) DO NOTHING RETURNING 1

-- name: is_running
SELECT 1 FROM call WHERE resident = $1 AND encounter = $2 AND recording = $3

-- name: parts
SELECT number FROM call_recording_part WHERE resident = $1 AND recording = $2 ORDER BY number

-- name: content
SELECT content FROM call_recording_part WHERE resident = $1 AND recording = $2 AND number = $3

-- name: old
SELECT resident, id FROM call_recording WHERE keep_until < $1 ORDER BY keep_until LIMIT 50

-- name: forget_parts
DELETE FROM call_recording_part WHERE resident = $1 AND recording = $2

-- name: forget
DELETE FROM call_recording WHERE resident = $1 AND id = $2

-- name: page
SELECT resident, recording, number, content FROM call_recording_part
WHERE (resident, recording, number) > ($1, $2, $3) ORDER BY resident, recording, number LIMIT 20

-- name: keep
UPDATE call_recording_part SET content = $4 WHERE resident = $1 AND recording = $2 AND number = $3
