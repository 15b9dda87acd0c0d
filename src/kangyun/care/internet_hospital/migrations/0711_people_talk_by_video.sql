-- A consultation's call: who sits in it, what their browsers tell each other, and what was recorded. What was said by
-- picture and voice goes from browser to browser (or through TURN, encrypted end to end) and never through this database.
--   resident   key of the Patient whom the consultation is for
--   recording  the recording that is running now; NULL: none. It is the lock under which agreement and recording change
CREATE TABLE call (
    resident bigint NOT NULL,
    encounter text COLLATE "C" NOT NULL,
    recording text COLLATE "C",
    PRIMARY KEY (resident, encounter)
);

-- Who is in it. A row is somebody's place, kept while the connection breaks and comes back; seen tells the difference.
--   who     account/<id> or invitation/<id>; peer: the random name by which the others' browsers address this one
--   device  hash of what only the browser knows that took the place: a second device is not let in beside it
--   run     changes when the page was loaded anew, so that the others make a new connection to it
--   line    changes with every connection to us, so that the end of an old one says nothing of the new; silent: it broke
--   name    sealed
-- Nobody reads these rows after an accident, so they need no log; the accident ends the calls.
CREATE UNLOGGED TABLE call_peer (
    resident bigint NOT NULL,
    encounter text COLLATE "C" NOT NULL,
    who text COLLATE "C" NOT NULL,
    peer text COLLATE "C" NOT NULL,
    kind text NOT NULL CHECK (kind IN ('doctor', 'resident', 'guest')),
    role text NOT NULL,
    name text NOT NULL,
    device bytea NOT NULL,
    run text NOT NULL,
    line text NOT NULL,
    silent boolean NOT NULL DEFAULT false,
    level text NOT NULL,
    why text NOT NULL,
    agreed boolean NOT NULL DEFAULT false,
    seen timestamptz NOT NULL,
    gone timestamptz,
    PRIMARY KEY (resident, encounter, who)
);

-- What waits for a browser until it says that it has it.
CREATE UNLOGGED TABLE call_signal (
    resident bigint NOT NULL,
    peer text COLLATE "C" NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    content text NOT NULL,
    made timestamptz NOT NULL,
    PRIMARY KEY (resident, peer, id)
);

-- Third parties who come by a link: whoever opens it first, once, and only until it ends.
--   secret  SHA-256 of what stands in the link; device: of what the browser that opened it keeps
CREATE TABLE call_invitation (
    resident bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    encounter text COLLATE "C" NOT NULL,
    patient text COLLATE "C" NOT NULL,
    role text NOT NULL,
    name text NOT NULL,
    secret bytea NOT NULL,
    device bytea,
    made timestamptz NOT NULL,
    expires timestamptz NOT NULL,
    ended timestamptz,
    PRIMARY KEY (resident, id)
);
CREATE INDEX call_invitation_secret ON call_invitation (secret);
CREATE INDEX call_invitation_device ON call_invitation (device) WHERE device IS NOT NULL;
CREATE INDEX call_invitation_encounter ON call_invitation (resident, encounter);

-- Who agreed to be recorded and who withdrew it, as evidence; kept as long as the recordings.
CREATE TABLE call_agreement (
    resident bigint NOT NULL,
    encounter text COLLATE "C" NOT NULL,
    who text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    agreed boolean NOT NULL,
    moment timestamptz NOT NULL
);
CREATE INDEX call_agreement_encounter ON call_agreement (resident, encounter, moment);

-- Recordings; the Media resource with the same id makes them found. content is sealed, a part is some seconds.
CREATE TABLE call_recording (
    resident bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    encounter text COLLATE "C" NOT NULL,
    patient text COLLATE "C" NOT NULL,
    began timestamptz NOT NULL,
    ended timestamptz,
    keep_until date NOT NULL,
    PRIMARY KEY (resident, id)
);
CREATE INDEX call_recording_old ON call_recording (keep_until);

CREATE TABLE call_recording_part (
    resident bigint NOT NULL,
    recording text COLLATE "C" NOT NULL,
    number integer NOT NULL,
    content bytea NOT NULL,
    PRIMARY KEY (resident, recording, number)
);
