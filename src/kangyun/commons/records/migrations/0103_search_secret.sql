-- The key that seals paging cursors: a cursor holds the sort keys of the last row, which may be a name or a birth date,
-- and cursors travel in URLs. All processes of one database share it.
CREATE TABLE search_secret (secret bytea NOT NULL);
INSERT INTO search_secret SELECT sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8'));
