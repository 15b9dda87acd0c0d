-- The audit trail: who saw or did what, in lanes. A lane is written by one process at a time, its rows are a chain: each
-- hash covers the one before, so nothing can be changed, left out or put in between without breaking it.

-- body: the event as JSON, exactly as it was hashed; the columns beside it repeat what is searched for.
-- sealed: address and query, which may be about a person; NULL where there is neither.
-- hash: SM3 of the hash before, lane, seq, sealed and body.
-- no resident: a row concerns several residents or none, and is spread by its lane.
CREATE TABLE audit_event (
    lane integer NOT NULL,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    name text COLLATE "C" NOT NULL,
    institution text COLLATE "C",
    action text COLLATE "C" NOT NULL,
    outcome text COLLATE "C" NOT NULL,
    residents bigint[] NOT NULL,
    body text NOT NULL,
    sealed bytea,
    hash bytea NOT NULL,
    PRIMARY KEY (lane, seq)
);
CREATE INDEX audit_event_at ON audit_event (at);
CREATE INDEX audit_event_name ON audit_event (name, at);
CREATE INDEX audit_event_institution ON audit_event (institution, at);
-- A short list of what is not sorted in yet: whoever fills it sorts it in and keeps the others waiting.
CREATE INDEX audit_event_residents ON audit_event USING gin (residents) WITH (gin_pending_list_limit = 512);

-- The last row of each lane; mac is keyed, so that a chain cut short or made anew does not end in a true head.
-- no resident: one row for a lane.
CREATE TABLE audit_head (
    lane integer PRIMARY KEY,
    seq bigint NOT NULL,
    hash bytea NOT NULL,
    mac bytea NOT NULL
) WITH (fillfactor = 50);

-- All heads of a moment under two signatures, made once a day. body: JSON as it was signed; it holds the hash of the root before.
-- no resident: one row for a day.
CREATE TABLE audit_root (
    number integer PRIMARY KEY,
    day date NOT NULL,
    body text NOT NULL,
    sm2 bytea NOT NULL,
    es256 bytea NOT NULL
);

-- Days that were moved into sealed files: all rows up to a root. mac: keyed, over the other columns.
-- no resident: one row for a file.
CREATE TABLE audit_archive (
    root integer PRIMARY KEY,
    file text NOT NULL,
    rows bigint NOT NULL,
    hash bytea NOT NULL,
    mac bytea NOT NULL
);

CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND TG_TABLE_NAME = 'audit_event' AND current_setting('kangyun.archiving', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'the audit trail is only ever added to' USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER audit_event_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_root_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_root
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_archive_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_archive
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_head_kept BEFORE DELETE OR TRUNCATE ON audit_head
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_head_forward BEFORE UPDATE ON audit_head
    FOR EACH ROW WHEN (NEW.lane <> OLD.lane OR NEW.seq <= OLD.seq) EXECUTE FUNCTION audit_refuse();
