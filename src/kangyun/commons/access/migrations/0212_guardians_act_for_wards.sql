-- Who may act for whom, by which proof, until when. Asked for by the guardian, attested at a counter that saw the proof.
--   guardian, ward   ids of Persons; account: the guardian's
--   number           what the guardian says at the counter; the proof's own number is sealed
--   document         code of rules/guardianship.yaml
-- no resident: it is between two persons, and found from either
CREATE TABLE account_ward (
    id text COLLATE "C" PRIMARY KEY,
    number text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    guardian text COLLATE "C" NOT NULL,
    ward text COLLATE "C" NOT NULL,
    kind text NOT NULL CHECK (kind IN ('child', 'adult')),
    document text NOT NULL,
    document_number bytea NOT NULL,
    state text NOT NULL CHECK (state IN ('asked', 'attested', 'refused', 'ended')),
    asked timestamptz NOT NULL,
    attested timestamptz,
    attested_by text COLLATE "C",
    attested_at text COLLATE "C",
    starts timestamptz,
    ends timestamptz NOT NULL
);
CREATE UNIQUE INDEX account_ward_number ON account_ward (number);
CREATE INDEX account_ward_account ON account_ward (account);
CREATE INDEX account_ward_ward ON account_ward (ward);
