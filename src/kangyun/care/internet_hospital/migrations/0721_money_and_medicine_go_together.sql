-- What a resident pays in one figure, and what became of it: the saga of one consultation or of one prescription. What this
-- row says is decided in the transaction that writes it; what follows outside is done by a job with the row's id as its key.
--   kind      visit (a consultation's fee) or medicine (a prescription)
--   about     id of the Encounter, or number of the prescription
--   quote     what was confirmed, in fen: lines and parts, as decisions/checkout.py writes it
--   order_id  of support/payments; NULL where nothing is paid in cash
--   settlement   id of support/insurance's, once the insurer was told
--   reason    why it went the way back; a key of locale/errors.yaml
CREATE TABLE internet_hospital_checkout (
    resident bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    kind text NOT NULL CHECK (kind IN ('visit', 'medicine')),
    about text COLLATE "C" NOT NULL,
    patient text COLLATE "C" NOT NULL,
    payer text COLLATE "C" NOT NULL,
    institution text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    quote text NOT NULL,
    cash bigint NOT NULL CHECK (cash >= 0),
    total bigint NOT NULL CHECK (total >= cash),
    order_id text COLLATE "C",
    settlement text COLLATE "C",
    reason text,
    opened timestamptz NOT NULL,
    expires timestamptz NOT NULL,
    moved timestamptz NOT NULL,
    PRIMARY KEY (resident, id)
);
-- One way forward at a time for one prescription.
CREATE UNIQUE INDEX internet_hospital_checkout_open ON internet_hospital_checkout (resident, kind, about)
    WHERE state NOT IN ('cancelled', 'refunding', 'refunded');
CREATE INDEX internet_hospital_checkout_about ON internet_hospital_checkout (about);
CREATE INDEX internet_hospital_checkout_order ON internet_hospital_checkout (order_id);
CREATE INDEX internet_hospital_checkout_settlement ON internet_hospital_checkout (settlement);
CREATE INDEX internet_hospital_checkout_waiting ON internet_hospital_checkout (moved)
    WHERE state IN ('unpaid', 'paid', 'settling', 'settled', 'reversing', 'refunding');
