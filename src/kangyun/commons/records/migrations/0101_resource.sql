-- The record store: current resources with their search index, superseded versions, and the change feed.
--
-- Index parts (kangyun.commons.records.index fills them, kangyun.commons.records.search reads them):
--   key      hash64('Patient/123'); hash64 is the first 8 bytes of SHA-256, big-endian, signed.
--   tokens   hash64(value) # seed, seed = hash64(slot). A slot is the path of an element ('Observation.subject'), not the
--            code of a parameter, so that parameters that share an element (subject and patient, code and combo-code)
--            share its entries. A reference to a resource is therefore  other.key # seed  and can be computed in SQL.
--   strings  one lexeme per text: four letters of the slot, a mark, the folded text.
--   links    keys of the resources that are referenced, without slot: the slot is checked by the token.
--   span     ranges: dates in microseconds since 1970, numbers, quantities. param is a slot's seed; of a composite
--            parameter it is seed # hash64(first part), so that a pair is one range in the b-tree.
--            least and greatest mark the first and the last span of a resource under one param: the keys for sorting.

CREATE SEQUENCE resource_rid AS bigint CACHE 32;

CREATE TABLE resource (
    rid bigint NOT NULL,
    resident bigint NOT NULL,
    key bigint NOT NULL,
    type smallint NOT NULL,
    id text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    updated timestamptz NOT NULL,
    deleted boolean NOT NULL DEFAULT false,
    meta text,
    body text,
    tokens bigint[],
    strings tsvector,
    links bigint[],
    PRIMARY KEY (key, id, resident)
);
CREATE INDEX resource_order ON resource (type, rid) WHERE NOT deleted;
-- Deleted ones too: the history of a type walks this index.
CREATE INDEX resource_updated ON resource (type, updated, rid);
CREATE INDEX resource_tokens ON resource USING gin (tokens) WITH (gin_pending_list_limit = 8192);
CREATE INDEX resource_strings ON resource USING gin (strings) WITH (gin_pending_list_limit = 8192);
-- The planner must know frequent codes and names from rare ones; it keeps ten elements for each unit of the target.
ALTER TABLE resource ALTER COLUMN tokens SET STATISTICS 300;
ALTER TABLE resource ALTER COLUMN strings SET STATISTICS 100;
ALTER TABLE resource SET (autovacuum_analyze_scale_factor = 0.2, autovacuum_vacuum_insert_scale_factor = 0.3);

CREATE TABLE span (
    param bigint NOT NULL,
    lo float8 NOT NULL,
    hi float8 NOT NULL,
    rid bigint NOT NULL,
    resident bigint NOT NULL,
    unit bigint,
    unit_text bigint,
    unit_full bigint,
    least boolean NOT NULL,
    greatest boolean NOT NULL
);
CREATE INDEX span_lo ON span (param, lo, rid);
CREATE INDEX span_hi ON span (param, hi, rid);
CREATE INDEX span_rid ON span (rid);
ALTER TABLE span ALTER COLUMN param SET STATISTICS 1000;
ALTER TABLE span ALTER COLUMN lo SET STATISTICS 1000;
ALTER TABLE span ALTER COLUMN hi SET STATISTICS 1000;
ALTER TABLE span SET (autovacuum_analyze_scale_factor = 0.2, autovacuum_vacuum_insert_scale_factor = 0.3);

-- What kangyun.commons.records.index returns for one span, in this order; rid and resident come from the resource.
CREATE TYPE span_entry AS (
    param bigint, lo float8, hi float8, unit bigint, unit_text bigint, unit_full bigint, least boolean, greatest boolean
);

-- Superseded versions only: a create writes nothing here.
CREATE TABLE history (
    rid bigint NOT NULL,
    resident bigint NOT NULL,
    key bigint NOT NULL,
    type smallint NOT NULL,
    id text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    updated timestamptz NOT NULL,
    deleted boolean NOT NULL,
    method text NOT NULL,
    meta text,
    body text,
    PRIMARY KEY (key, id, version, resident)
);
CREATE INDEX history_updated ON history (type, updated, rid);

-- Readers take the transactions below pg_snapshot_xmin, each batch by seq: kangyun.base.reactions says why. The sequence
-- has no cache, because a second writer of a resource must get a higher number than the first.
CREATE SEQUENCE change_seq AS bigint;
CREATE TABLE change (
    seq bigint NOT NULL DEFAULT nextval('change_seq'),
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    resident bigint NOT NULL,
    key bigint NOT NULL,
    type smallint NOT NULL,
    id text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    method text NOT NULL,
    PRIMARY KEY (seq, resident)
);
CREATE INDEX change_xid ON change (xid);
