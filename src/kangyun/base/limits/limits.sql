-- name: lease
-- Takes up to $3 requests out of the bucket of (kind $1, who $2), which holds $4 and gains $5 a second; $6 is now.
-- Gives how many were granted and how many are left.
INSERT INTO rate_bucket AS bucket (kind, who, tokens, granted, filled, full_at)
VALUES ($1, $2, $4::float8 - $3::float8, $3::float8, $6::timestamptz, $6::timestamptz + make_interval(secs => $3::float8 / $5::float8))
ON CONFLICT (kind, who) DO UPDATE SET (tokens, granted, filled, full_at) = (
    SELECT held - given, given, greatest($6::timestamptz, bucket.filled),
        $6::timestamptz + make_interval(secs => ($4::float8 - held + given) / $5::float8)
    FROM (
        SELECT held, least($3::float8, floor(held)) AS given
        FROM (SELECT least($4::float8, bucket.tokens + $5::float8 * greatest(0, extract(epoch FROM $6::timestamptz - bucket.filled)::float8)) AS held) AS refilled
    ) AS judged
)
RETURNING granted, tokens;

-- name: trim
-- Buckets that are full again say nothing.
DELETE FROM rate_bucket WHERE full_at < $1;
