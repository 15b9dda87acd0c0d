-- name: now
SELECT DISTINCT ON (code) code, fen FROM drugs_price
WHERE institution = $1 AND code = ANY ($2::text[]) AND since <= $3 ORDER BY code, since DESC

-- name: all
SELECT DISTINCT ON (code) code, fen, since FROM drugs_price WHERE institution = $1 AND since <= $2 ORDER BY code, since DESC

-- name: put
INSERT INTO drugs_price (institution, code, since, fen, actor) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (institution, code, since) DO UPDATE SET fen = EXCLUDED.fen, actor = EXCLUDED.actor
