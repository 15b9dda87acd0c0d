-- What pages say of a sender; it comes before its file in rules/senders. Every change is a new version and stays.
CREATE SEQUENCE sender_registration_change AS bigint;

-- no resident: it describes institutions' systems
CREATE TABLE sender_registration (
    sender_key bigint NOT NULL,
    version integer NOT NULL,
    sender text NOT NULL,
    body jsonb NOT NULL,
    change bigint NOT NULL DEFAULT nextval('sender_registration_change'),
    changed timestamptz NOT NULL,
    actor text NOT NULL,
    PRIMARY KEY (sender_key, version)
);

-- Messages of each sender by the hour in which they arrived, counted anew by a job whenever one of them has changed.
-- asked and filled stand in the order of MEASURED in model.py; arrival is from event to receipt, handling from there on.
-- no resident: it counts messages by sender
CREATE TABLE sender_hour (
    sender_key bigint NOT NULL,
    hour timestamptz NOT NULL,
    sender text NOT NULL,
    stored integer NOT NULL,
    quarantined integer NOT NULL,
    duplicate integer NOT NULL,
    dismissed integer NOT NULL,
    waiting integer NOT NULL,
    bytes bigint NOT NULL,
    latest timestamptz NOT NULL,
    told integer NOT NULL,
    on_time integer NOT NULL,
    arrival_seconds double precision NOT NULL,
    handled integer NOT NULL,
    handling_seconds double precision NOT NULL,
    asked integer[] NOT NULL,
    filled integer[] NOT NULL,
    codes integer NOT NULL,
    coded integer NOT NULL,
    linked integer NOT NULL,
    reviewed integer NOT NULL,
    created integer NOT NULL,
    reasons jsonb NOT NULL,
    counted timestamptz NOT NULL,
    PRIMARY KEY (sender_key, hour)
);
CREATE INDEX sender_hour_hour ON sender_hour (hour);

-- Until when the hours are counted.
-- no resident: one row
CREATE TABLE sender_hour_mark (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    until timestamptz NOT NULL
);
INSERT INTO sender_hour_mark (until) VALUES ('-infinity');

-- When a sender that should send fell silent, and when it was heard again.
-- no resident: it concerns senders
CREATE TABLE sender_silence (
    sender_key bigint NOT NULL,
    since timestamptz NOT NULL,
    sender text NOT NULL,
    expected double precision NOT NULL,
    noticed timestamptz NOT NULL,
    ended timestamptz,
    PRIMARY KEY (sender_key, since)
);
CREATE INDEX sender_silence_open ON sender_silence (sender_key) WHERE ended IS NULL;
