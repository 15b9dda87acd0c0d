-- One electronic health card of one person. It hangs on a Patient of the card desk's own (`patient`), which belongs to a
-- Person as every source's Patient does; so a card follows its person through links, merges and their undoing.
--   issue     rises with every replacement; what was signed for an earlier issue is no longer good
--   deadline  of temporary cards
--   joined    the Patient of the real person that a temporary card was joined to
--   pin       salted scrypt; pin_tries counts since the last right one, pin_locked is when trying is allowed again
CREATE TABLE card (
    resident bigint NOT NULL,
    patient text COLLATE "C" NOT NULL,
    kind text NOT NULL CHECK (kind IN ('formal', 'newborn', 'stranger')),
    state text NOT NULL CHECK (state IN ('active', 'frozen', 'lost', 'joined', 'ended')),
    issue integer NOT NULL DEFAULT 1,
    issued timestamptz NOT NULL,
    changed timestamptz NOT NULL,
    deadline timestamptz,
    joined text COLLATE "C",
    pin text,
    pin_tries integer NOT NULL DEFAULT 0,
    pin_locked timestamptz,
    PRIMARY KEY (resident, patient)
);
CREATE INDEX card_changed ON card (changed);

-- Every number a card ever had: a new name or document gives a new index and number, the old ones stay as aliases.
-- no resident: a code is read before anybody knows whose it is; one row for each resident and change of name
CREATE TABLE card_number (
    number text COLLATE "C" PRIMARY KEY,
    index_id text COLLATE "C" NOT NULL,
    resident bigint NOT NULL,
    patient text COLLATE "C" NOT NULL,
    made timestamptz NOT NULL,
    current boolean NOT NULL
);
CREATE INDEX card_number_card ON card_number (resident, patient);

-- Dynamic codes that were shown: one that nobody was shown is a forgery, whatever it says. Kept for a day.
CREATE TABLE card_code (
    resident bigint NOT NULL,
    patient text COLLATE "C" NOT NULL,
    expires timestamptz NOT NULL,
    PRIMARY KEY (resident, patient, expires)
);
CREATE INDEX card_code_expires ON card_code (expires);

-- Every use of a card. `mark` names the code that was used, so that a code is used once, whoever reads it a second time.
CREATE SEQUENCE card_use_id AS bigint;
CREATE TABLE card_use (
    resident bigint NOT NULL,
    patient text COLLATE "C" NOT NULL,
    mark text COLLATE "C" NOT NULL,
    id bigint NOT NULL DEFAULT nextval('card_use_id'),
    moment timestamptz NOT NULL,
    reported timestamptz NOT NULL,
    way text NOT NULL CHECK (way IN ('dynamic', 'static', 'temporary', 'signed', 'offline')),
    step text NOT NULL,
    terminal text NOT NULL,
    channel text NOT NULL,
    actor text NOT NULL,
    PRIMARY KEY (resident, patient, mark)
);
CREATE INDEX card_use_moment ON card_use (resident, patient, moment DESC);

-- What was done to a card, by whom, and which readings of it were refused.
CREATE SEQUENCE card_event_id AS bigint;
CREATE TABLE card_event (
    resident bigint NOT NULL,
    patient text COLLATE "C" NOT NULL,
    id bigint NOT NULL DEFAULT nextval('card_event_id'),
    moment timestamptz NOT NULL,
    event text NOT NULL,
    actor text NOT NULL,
    terminal text NOT NULL DEFAULT '',
    PRIMARY KEY (resident, patient, id)
);

-- Both are written once: nobody, the platform's own code included, changes what happened.
CREATE FUNCTION card_history_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what happened to a card is not changed' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER card_use_stays BEFORE UPDATE OR DELETE ON card_use FOR EACH ROW EXECUTE FUNCTION card_history_stays();
CREATE TRIGGER card_event_stays BEFORE UPDATE OR DELETE ON card_event FOR EACH ROW EXECUTE FUNCTION card_history_stays();

-- Who may show the card of another: proof is a kind of document, its number is sealed.
--   resident, ward  the one whose card it is; guardian: any Patient of the one who may show it
CREATE TABLE guardianship (
    resident bigint NOT NULL,
    ward text COLLATE "C" NOT NULL,
    guardian text COLLATE "C" NOT NULL,
    relation text NOT NULL,
    proof text NOT NULL,
    proof_number bytea NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    recorded_by text NOT NULL,
    ended timestamptz,
    PRIMARY KEY (resident, ward, guardian, since)
);
CREATE INDEX guardianship_guardian ON guardianship (guardian);
