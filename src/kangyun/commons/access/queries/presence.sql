-- name: put
INSERT INTO access_presence (session, about, account, means, at, ends) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (session, about) DO UPDATE SET means = excluded.means, at = excluded.at, ends = excluded.ends

-- name: standing
SELECT means, at FROM access_presence WHERE session = $1 AND about = $2 AND ends > $3

-- name: trim
DELETE FROM access_presence WHERE ends < $1
