-- What a resident's consents close and open; rewritten in the transaction that writes the Consent.
--   resident     key of a Patient of the person; it holds for all Patients of the person (access_identity)
--   institution  key of the Organization that it is about; 0: everybody
--   types        type codes of the resources; NULL: all. labels: tokens of sensitive classes; NULL: whatever their class
--   purposes     purposes of use; NULL: all
--   consent      key of the Consent that says so
CREATE TABLE access_denial (
    resident bigint NOT NULL,
    consent bigint NOT NULL,
    part integer NOT NULL,
    institution bigint NOT NULL,
    types smallint[],
    labels bigint[],
    purposes text[],
    starts timestamptz NOT NULL,
    ends timestamptz NOT NULL,
    PRIMARY KEY (resident, consent, part)
);
CREATE INDEX access_denial_consent ON access_denial (consent);

-- What is opened beyond the rules: by consent (a sensitive class, for an institution; or everything of the types to an
-- institution without care relation) or by break-glass (everything, for one account).
--   kind     consent or emergency. account: of an emergency. cause: key of the Consent, or of the emergency's own row
CREATE TABLE access_opening (
    resident bigint NOT NULL,
    cause bigint NOT NULL,
    part integer NOT NULL,
    kind text NOT NULL CHECK (kind IN ('consent', 'emergency')),
    institution bigint NOT NULL DEFAULT 0,
    account text COLLATE "C",
    types smallint[],
    labels bigint[],
    purposes text[],
    starts timestamptz NOT NULL,
    ends timestamptz NOT NULL,
    PRIMARY KEY (resident, cause, part)
);
CREATE INDEX access_opening_cause ON access_opening (cause);
