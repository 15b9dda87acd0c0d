-- Who writes in a consultation, and from which session: a second device of the same person is refused until it takes over.
--   resident  key of the Patient whom the consultation is for
--   party     patient or doctor; session: id of the entry (browser session or token); seen: when it last was there
CREATE TABLE consult_seat (
    resident bigint NOT NULL,
    encounter text COLLATE "C" NOT NULL,
    party text NOT NULL CHECK (party IN ('patient', 'doctor')),
    session text COLLATE "C" NOT NULL,
    seen timestamptz NOT NULL,
    PRIMARY KEY (resident, encounter, party)
);
CREATE INDEX consult_seat_seen ON consult_seat (seen);
CREATE INDEX consult_seat_encounter ON consult_seat (encounter);

-- The one talk by video that a doctor has under way.
-- no resident: a doctor has one at a time, whoever the residents are
CREATE TABLE consult_live (
    practitioner text COLLATE "C" PRIMARY KEY,
    encounter text COLLATE "C" NOT NULL,
    since timestamptz NOT NULL
);
