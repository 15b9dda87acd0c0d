-- name: messages
SELECT sender_key AS first, id, body, content_hash AS digest FROM raw_message
WHERE id > $1 AND sealed > 0 AND body IS NOT NULL ORDER BY id LIMIT $2

-- name: keep_message
UPDATE raw_message SET body = $4 WHERE sender_key = $1 AND id = $2 AND body = $3

-- name: uploads
SELECT resident AS first, id, body, digest FROM upload WHERE id > $1 AND sealed > 0 AND body IS NOT NULL ORDER BY id LIMIT $2

-- name: keep_upload
UPDATE upload SET body = $4 WHERE resident = $1 AND id = $2 AND body = $3

-- name: outbounds
SELECT resident AS first, id, body, digest FROM outbound WHERE id > $1 AND sealed > 0 AND body IS NOT NULL ORDER BY id LIMIT $2

-- name: keep_outbound
UPDATE outbound SET body = $4 WHERE resident = $1 AND id = $2 AND body = $3
