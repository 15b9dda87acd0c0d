-- That somebody who is logged in has proved again who sits there, for one thing such as a consultation.
--   session: id of the entry; about: what for; means: totp, password or passkey
-- no resident: a proof is of whoever works
CREATE TABLE access_presence (
    session text COLLATE "C" NOT NULL,
    about text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    means text NOT NULL,
    at timestamptz NOT NULL,
    ends timestamptz NOT NULL,
    PRIMARY KEY (session, about)
);
CREATE INDEX access_presence_ends ON access_presence (ends);
