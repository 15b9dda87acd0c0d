-- The one way in: both functions write version, index and change rows in one statement of the caller.

CREATE TYPE record_entry AS (
    deleted boolean,       -- true: this write deletes
    expected integer,      -- the version that must be current; NULL: any; 0: must not exist
    resident bigint,
    key bigint,
    type smallint,
    id text,
    updated timestamptz,
    meta text,
    body text,
    -- Literals of bigint[], tsvector, bigint[] and span_entry[]: the driver checks every element of a nested array in
    -- Python, which cost more than PostgreSQL needs to read the text (68 against 6 microseconds a resource).
    tokens text,
    strings text,
    links text,
    spans text
);

-- no resident: a commit may concern several residents; the key is its caller's own.
CREATE TABLE commit_once (
    key text PRIMARY KEY,
    result text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX commit_once_at ON commit_once (at);

-- New resources under ids that the server has just made: nothing can be there before, so nothing is looked up.
CREATE FUNCTION record_create(entries record_entry[]) RETURNS void
LANGUAGE plpgsql SET plan_cache_mode = 'auto' AS $$
BEGIN
    WITH e AS MATERIALIZED (
        SELECT nextval('resource_rid') AS rid, u.* FROM unnest(entries) u
    ), r AS (
        INSERT INTO resource (rid, resident, key, type, id, version, updated, deleted, meta, body, tokens, strings, links)
        SELECT rid, resident, key, type, id, 1, updated, false, meta, body, tokens::bigint[], strings::tsvector, links::bigint[]
        FROM e
    ), s AS (
        INSERT INTO span (param, lo, hi, rid, resident, unit, unit_text, unit_full, least, greatest)
        SELECT p.param, p.lo, p.hi, e.rid, e.resident, p.unit, p.unit_text, p.unit_full, p.least, p.greatest FROM e, unnest(e.spans::span_entry[]) p
    )
    INSERT INTO change (resident, key, type, id, version, method)
    SELECT resident, key, type, id, 1, 'create' FROM e;
END $$;

-- Any mix of creates under given ids, updates and deletes. Advisory locks come before the first write, so that two
-- writers of one resource get their transaction ids in the order of their versions (the change feed relies on it).
CREATE FUNCTION record_commit(entries record_entry[])
RETURNS TABLE (ordinal bigint, version integer, existed boolean)
LANGUAGE plpgsql SET plan_cache_mode = 'auto' AS $$
DECLARE
    conflict record;
BEGIN
    PERFORM pg_advisory_xact_lock(k.key) FROM (SELECT DISTINCT u.key FROM unnest(entries) u ORDER BY u.key) k;

    SELECT e.ordinality AS ordinal, coalesce(r.version, 0) AS version, coalesce(r.deleted, false) AS gone INTO conflict
    FROM unnest(entries) WITH ORDINALITY e
    LEFT JOIN resource r ON r.key = e.key AND r.id = e.id
    WHERE e.expected IS NOT NULL
      AND CASE WHEN r.deleted IS NOT FALSE THEN 0 ELSE r.version END <> e.expected
    ORDER BY e.ordinality LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'KY412', MESSAGE = 'version conflict', DETAIL = conflict.ordinal::text;
    END IF;

    INSERT INTO history (rid, resident, key, type, id, version, updated, deleted, method, meta, body)
    SELECT r.rid, r.resident, r.key, r.type, r.id, r.version, r.updated, r.deleted,
           CASE WHEN r.deleted THEN 'delete' WHEN r.version = 1 THEN 'create' ELSE 'update' END, r.meta, r.body
    FROM unnest(entries) e JOIN resource r ON r.key = e.key AND r.id = e.id
    WHERE NOT (e.deleted AND r.deleted);

    DELETE FROM span USING unnest(entries) e, resource r
    WHERE r.key = e.key AND r.id = e.id AND span.rid = r.rid;

    RETURN QUERY
    WITH e AS MATERIALIZED (
        SELECT u.*, o.ordinality AS place, o.old_rid, coalesce(o.old_version, 0) + 1 AS next,
               coalesce(o.old_rid, nextval('resource_rid')) AS rid, o.gone
        FROM (SELECT x.ordinality, x.key AS k, x.id AS i, r.rid AS old_rid, r.version AS old_version,
                     coalesce(r.deleted, true) AS gone
              FROM unnest(entries) WITH ORDINALITY x LEFT JOIN resource r ON r.key = x.key AND r.id = x.id) o
        JOIN LATERAL (SELECT (entries[o.ordinality::int]).*) u ON true
        WHERE NOT (u.deleted AND o.gone)
    ), n AS (
        INSERT INTO resource (rid, resident, key, type, id, version, updated, deleted, meta, body, tokens, strings, links)
        SELECT e.rid, e.resident, e.key, e.type, e.id, 1, e.updated, false, e.meta, e.body, e.tokens::bigint[],
               e.strings::tsvector, e.links::bigint[]
        FROM e WHERE e.old_rid IS NULL
    ), c AS (
        UPDATE resource r SET version = e.next, updated = e.updated, deleted = e.deleted, meta = e.meta, body = e.body,
            tokens = coalesce(e.tokens, '{}')::bigint[], strings = e.strings::tsvector, links = e.links::bigint[],
            resident = CASE WHEN e.deleted THEN r.resident ELSE e.resident END
        FROM e WHERE e.old_rid IS NOT NULL AND r.key = e.key AND r.id = e.id
    ), s AS (
        INSERT INTO span (param, lo, hi, rid, resident, unit, unit_text, unit_full, least, greatest)
        SELECT p.param, p.lo, p.hi, e.rid, e.resident, p.unit, p.unit_text, p.unit_full, p.least, p.greatest FROM e, unnest(e.spans::span_entry[]) p
    ), f AS (
        INSERT INTO change (resident, key, type, id, version, method)
        SELECT e.resident, e.key, e.type, e.id, e.next,
               CASE WHEN e.deleted THEN 'delete' WHEN e.gone THEN 'create' ELSE 'update' END
        FROM e ORDER BY e.place
    )
    SELECT e.place, e.next, NOT e.gone FROM e ORDER BY e.place;
END $$;
