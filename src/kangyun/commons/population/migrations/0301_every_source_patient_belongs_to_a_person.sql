-- One row for each Patient of each source: which Person it belongs to, and what it takes to find and score candidates
-- without reading the record.
--   resident  key_of('Patient', patient), the key of the record that the Patient opens
--   source    the sender whose Patient this is; 'fhir' where nobody says
--   assurance of the link to the Person: 2 found alike, 3 by a strong identifier, 4 decided by a human
--   version   the version of the Patient that was placed
--   numbers   hash64 of "system|value" of each telling identifier: how later messages of its source find the Patient, and
--             how systems that share numbers (a hospital and its laboratory) find each other
--   ids       valid resident ID numbers, former ones too: people with different ones are never linked by a program
--   keys      blocking keys of the matching; features: what the score compares, as JSON
CREATE TABLE identity (
    resident bigint NOT NULL,
    patient text COLLATE "C" NOT NULL,
    person text COLLATE "C" NOT NULL,
    source text NOT NULL,
    assurance smallint NOT NULL,
    version integer NOT NULL,
    numbers bigint[] NOT NULL,
    ids text[] NOT NULL,
    keys bigint[] NOT NULL,
    features text NOT NULL,
    updated timestamptz NOT NULL,
    PRIMARY KEY (resident, patient)
);
CREATE INDEX identity_person ON identity (person);
-- Without a list of pending entries every search takes the same time; the writer sorts in a dozen keys.
CREATE INDEX identity_numbers ON identity USING gin (numbers) WITH (fastupdate = off);
CREATE INDEX identity_keys ON identity USING gin (keys) WITH (fastupdate = off);

-- Two Patients that may be one person, and what a human decided of them. No names stand here: evidence is codes and bits.
--   resident, other  keys of the two Patients; the one with the smaller key comes first
--   state  open: waits for a human; linked, rejected: decided; undone: a link that was taken back (counts as rejected)
CREATE TABLE candidate (
    resident bigint NOT NULL,
    other bigint NOT NULL,
    first text COLLATE "C" NOT NULL,
    second text COLLATE "C" NOT NULL,
    bits real NOT NULL,
    evidence text NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'linked', 'rejected', 'undone')),
    found timestamptz NOT NULL,
    decided timestamptz,
    decided_by text,
    PRIMARY KEY (resident, other)
);
CREATE INDEX candidate_other ON candidate (other);
CREATE INDEX candidate_open ON candidate (bits DESC, resident) WHERE state = 'open';
