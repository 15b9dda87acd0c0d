-- The keys that practitioners sign with, one current pair for each algorithm; what is private of them is sealed for the id.
--   practitioner   id of the Practitioner; x, y: the public point, 32 bytes each
--   ended          it signs no more; what it has signed is verified with it for ever
-- no resident: a key is of whoever signs
CREATE TABLE signing_key (
    id text COLLATE "C" PRIMARY KEY,
    practitioner text COLLATE "C" NOT NULL,
    algorithm text NOT NULL CHECK (algorithm IN ('ES256', 'SM2')),
    x bytea NOT NULL,
    y bytea NOT NULL,
    secret bytea NOT NULL,
    made timestamptz NOT NULL,
    ended timestamptz
);
CREATE UNIQUE INDEX signing_key_current ON signing_key (practitioner, algorithm) WHERE ended IS NULL;

-- Which versions of which resources a Provenance of ours signs; content that is named here is not written over.
--   target   hash64('Type/id'); place: which of the Provenance's targets it is
CREATE TABLE signature (
    resident bigint NOT NULL,
    target bigint NOT NULL,
    provenance text COLLATE "C" NOT NULL,
    type text NOT NULL,
    id text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    purpose text NOT NULL,
    practitioner text COLLATE "C" NOT NULL,
    signed timestamptz NOT NULL,
    PRIMARY KEY (resident, target, provenance)
);
CREATE INDEX signature_target ON signature (target);
CREATE INDEX signature_provenance ON signature (provenance);
