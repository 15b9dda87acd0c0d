-- Documents that go up to the province. A row is one version of one document: it waits, is built once (body, so that what is sent
-- again is the same under the same id), and is settled by the province's receipt or refusal. Several changes before that are one row.
CREATE SEQUENCE upload_id AS bigint;

CREATE TABLE upload (
    resident bigint NOT NULL,
    id bigint NOT NULL DEFAULT nextval('upload_id'),
    patient text NOT NULL,
    document text NOT NULL,
    visit text NOT NULL,
    state text NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'sending', 'accepted', 'refused', 'incomplete', 'unchanged', 'replaced')),
    created timestamptz NOT NULL DEFAULT clock_timestamp(),
    tries integer NOT NULL DEFAULT 0,
    next_try timestamptz NOT NULL DEFAULT clock_timestamp(),
    handled timestamptz,
    set_id text,
    version integer,
    content bytea,
    sealed integer,
    digest bytea,
    body bytea,
    receipt text,
    reason text,
    PRIMARY KEY (resident, id)
);
-- One row waits for each document, whatever changes meanwhile.
CREATE UNIQUE INDEX upload_waiting ON upload (resident, patient, document, visit) WHERE state = 'waiting';
CREATE INDEX upload_due ON upload (next_try) WHERE state IN ('waiting', 'sending');
CREATE INDEX upload_set ON upload (set_id, id) WHERE set_id IS NOT NULL;
CREATE INDEX upload_state ON upload (state, id);

-- no resident: one row says whether a person has stopped the upload
CREATE TABLE upload_pause (
    name text PRIMARY KEY,
    since timestamptz NOT NULL,
    by_whom text NOT NULL
);
