-- Where a prescription stands. Its content is in the record (one MedicationRequest for each line, id number-1, number-2, ...);
-- this row is its life cycle and the lock by which every step happens once.
--   number       of the prescription, also its trace code; patient, encounter, institution, practitioner: ids
--   kind         western, herbal; sheet, setting: of rules/sheets.yaml; control: the strictest control class in it, or ''
--   version      counts the steps; lines: how many
--   review_due   when the pharmacist's clock runs out; claimed_until: until when a claim holds
--   reviewer     id of the Practitioner who has claimed, passed, returned or refused it; asked: whether a second signature was asked for
--   way          hospital, retail, courier or ''; pharmacy, courier: ids of Organizations
--   address      sealed: who takes a parcel, where, which telephone
--   lock_until   until when a pharmacy's lock holds; lock_key: of the request that has locked
--   paid         when it was paid; code_salt, code_tries: of the recipient's code
--   cold         '' or the storage that the most delicate drug asks for
--   keep_until   when its storage period ends
CREATE TABLE drugs_prescription (
    resident bigint NOT NULL,
    number text COLLATE "C" NOT NULL,
    patient text COLLATE "C" NOT NULL,
    encounter text COLLATE "C" NOT NULL,
    institution text COLLATE "C" NOT NULL,
    practitioner text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    sheet text NOT NULL,
    setting text NOT NULL,
    control text NOT NULL,
    lines integer NOT NULL,
    state text NOT NULL,
    version integer NOT NULL,
    made timestamptz NOT NULL,
    signed timestamptz,
    valid_until timestamptz NOT NULL,
    review_due timestamptz,
    claimed_until timestamptz,
    reviewer text COLLATE "C" NOT NULL,
    asked boolean NOT NULL,
    way text NOT NULL,
    pharmacy text COLLATE "C" NOT NULL,
    courier text COLLATE "C" NOT NULL,
    address text NOT NULL,
    lock_until timestamptz,
    lock_key text COLLATE "C" NOT NULL,
    paid timestamptz,
    code_salt integer NOT NULL,
    code_tries integer NOT NULL,
    cold text NOT NULL,
    keep_until date,
    PRIMARY KEY (resident, number)
);
CREATE INDEX drugs_prescription_number ON drugs_prescription (number);
CREATE INDEX drugs_prescription_pool ON drugs_prescription (review_due, number) WHERE state IN ('signed', 'claimed', 'confirming');
CREATE INDEX drugs_prescription_pharmacy ON drugs_prescription (pharmacy, state, made DESC);
CREATE INDEX drugs_prescription_practitioner ON drugs_prescription (practitioner, made DESC);
CREATE INDEX drugs_prescription_patient ON drugs_prescription (patient, made DESC);
CREATE INDEX drugs_prescription_open ON drugs_prescription (valid_until)
    WHERE state IN ('signed', 'claimed', 'confirming', 'passed', 'circulated', 'locked', 'partly');

-- Every step of a prescription, so that clocks and statistics are counted from what happened. actor: of the audit trail, no person's name.
CREATE TABLE drugs_step (
    resident bigint NOT NULL,
    number text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    event text NOT NULL,
    state text NOT NULL,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    institution text COLLATE "C" NOT NULL,
    PRIMARY KEY (resident, number, version)
);
CREATE INDEX drugs_step_number ON drugs_step (number, version);
CREATE INDEX drugs_step_event ON drugs_step (event, at);

-- How much of each line is to be dispensed and was, counted in the drug's smallest unit.
--   code       of the catalogue; other: what a pharmacy offers in its place; agreed: when the patient consented to that
CREATE TABLE drugs_amount (
    resident bigint NOT NULL,
    number text COLLATE "C" NOT NULL,
    line integer NOT NULL,
    code text COLLATE "C" NOT NULL,
    wanted numeric NOT NULL,
    given numeric NOT NULL DEFAULT 0,
    other text COLLATE "C" NOT NULL DEFAULT '',
    agreed timestamptz,
    PRIMARY KEY (resident, number, line)
);

-- What left a pharmacy's shelf for a prescription; key: of the request, so that a retry takes nothing a second time.
CREATE TABLE drugs_dispensed (
    resident bigint NOT NULL,
    number text COLLATE "C" NOT NULL,
    line integer NOT NULL,
    key text COLLATE "C" NOT NULL,
    code text COLLATE "C" NOT NULL,
    amount numeric NOT NULL CHECK (amount > 0),
    pharmacy text COLLATE "C" NOT NULL,
    batch text NOT NULL,
    expires date,
    at timestamptz NOT NULL,
    PRIMARY KEY (resident, number, line, key)
);
CREATE INDEX drugs_dispensed_pharmacy ON drugs_dispensed (pharmacy, at DESC);

-- What a pharmacy has, in the smallest unit. It is counted and sold over the counter too, so a lock keeps nothing back.
-- no resident: it is a pharmacy's shelf
CREATE TABLE drugs_stock (
    pharmacy text COLLATE "C" NOT NULL,
    code text COLLATE "C" NOT NULL,
    amount numeric NOT NULL CHECK (amount >= 0),
    batch text NOT NULL DEFAULT '',
    expires date,
    changed timestamptz NOT NULL,
    PRIMARY KEY (pharmacy, code)
);

-- A parcel on its way. id: also of its SupplyDelivery; state: packed, picked-up, delivered, failed, returned.
--   storage: '' or what rules/temperature.yaml says of it; tries: wrong codes at the door
CREATE TABLE drugs_parcel (
    resident bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    number text COLLATE "C" NOT NULL,
    patient text COLLATE "C" NOT NULL,
    pharmacy text COLLATE "C" NOT NULL,
    courier text COLLATE "C" NOT NULL,
    carrier text COLLATE "C" NOT NULL,
    state text NOT NULL,
    storage text NOT NULL,
    made timestamptz NOT NULL,
    changed timestamptz NOT NULL,
    PRIMARY KEY (resident, id)
);
CREATE INDEX drugs_parcel_id ON drugs_parcel (id);
CREATE INDEX drugs_parcel_courier ON drugs_parcel (courier, state, made);
CREATE INDEX drugs_parcel_number ON drugs_parcel (number);

-- The temperature log of a parcel that asks for one; celsius as measured.
CREATE TABLE drugs_temperature (
    resident bigint NOT NULL,
    parcel text COLLATE "C" NOT NULL,
    at timestamptz NOT NULL,
    celsius numeric NOT NULL,
    PRIMARY KEY (resident, parcel, at)
);

-- What a doctor prescribes again and again. draft: the line as JSON; no patient is in it.
-- no resident: it is a doctor's own list
CREATE TABLE drugs_favourite (
    practitioner text COLLATE "C" NOT NULL,
    code text COLLATE "C" NOT NULL,
    line text NOT NULL,
    used integer NOT NULL DEFAULT 1,
    last timestamptz NOT NULL,
    PRIMARY KEY (practitioner, code)
);
