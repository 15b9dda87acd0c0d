-- The region's one pool of numbers. A Schedule of the record says who offers what; a template how a week looks; a sitting is
-- one schedule on one part of one day, and consists of numbers, each of which is a Slot of the record. The rows here are what
-- is locked, counted and found; the record says the same in FHIR, written in the same transactions.

-- no resident: who offers numbers, not who takes them
CREATE TABLE appointments_schedule (
    id text COLLATE "C" PRIMARY KEY,
    institution text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    department text NOT NULL,
    examination text NOT NULL DEFAULT '',
    practitioner text COLLATE "C" NOT NULL DEFAULT '',
    service text COLLATE "C" NOT NULL DEFAULT '',
    -- What people read: the institution, the clinic or the room, the doctor and the doctor's title.
    house text NOT NULL,
    title text NOT NULL,
    doctor text NOT NULL DEFAULT '',
    rank text NOT NULL DEFAULT '',
    room text NOT NULL DEFAULT '',
    -- Names folded, with their pinyin and its first letters, for the search.
    words text NOT NULL DEFAULT '',
    latitude float8,
    longitude float8,
    fee integer NOT NULL DEFAULT 0,
    -- Kept by the institution's own system, which writes Schedules and Slots itself.
    outside boolean NOT NULL DEFAULT false,
    active boolean NOT NULL DEFAULT true
);
CREATE INDEX appointments_schedule_institution ON appointments_schedule (institution);
CREATE INDEX appointments_schedule_department ON appointments_schedule (kind, department);

-- no resident: how a week of a schedule looks
CREATE TABLE appointments_template (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    schedule text COLLATE "C" NOT NULL,
    weekday smallint NOT NULL CHECK (weekday BETWEEN 1 AND 7),
    begins time NOT NULL,
    minutes smallint NOT NULL CHECK (minutes BETWEEN 1 AND 1440),
    numbers smallint NOT NULL CHECK (numbers BETWEEN 1 AND 500),
    -- channel -> how many numbers are kept for it; the others are open to all.
    quotas jsonb NOT NULL DEFAULT '{}',
    since date NOT NULL,
    until date
);
CREATE INDEX appointments_template_schedule ON appointments_template (schedule);

-- no resident: days on which a schedule departs from its template
CREATE TABLE appointments_exception (
    schedule text COLLATE "C" NOT NULL,
    day date NOT NULL,
    -- closed: no sitting of that day; extra: one more, of the shape that follows.
    kind text NOT NULL CHECK (kind IN ('closed', 'extra')),
    begins time NOT NULL DEFAULT '00:00',
    minutes smallint NOT NULL DEFAULT 0,
    numbers smallint NOT NULL DEFAULT 0,
    quotas jsonb NOT NULL DEFAULT '{}',
    reason text NOT NULL DEFAULT '',
    PRIMARY KEY (schedule, day, kind, begins)
);

-- no resident: a sitting exists before anybody books it
CREATE TABLE appointments_sitting (
    id text COLLATE "C" PRIMARY KEY,
    schedule text COLLATE "C" NOT NULL,
    day date NOT NULL,
    starts timestamptz NOT NULL,
    ends timestamptz NOT NULL,
    practitioner text COLLATE "C" NOT NULL DEFAULT '',
    doctor text NOT NULL DEFAULT '',
    room text NOT NULL DEFAULT '',
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'stopped')),
    reason text NOT NULL DEFAULT '',
    judged boolean NOT NULL DEFAULT false
);
CREATE INDEX appointments_sitting_schedule ON appointments_sitting (schedule, starts);
CREATE INDEX appointments_sitting_due ON appointments_sitting (ends) WHERE NOT judged;
CREATE INDEX appointments_sitting_day ON appointments_sitting (day);

-- no resident: a number exists before anybody takes it, and is locked by whoever takes it
CREATE TABLE appointments_number (
    id text COLLATE "C" PRIMARY KEY,
    sitting text COLLATE "C" NOT NULL,
    number smallint NOT NULL,
    starts timestamptz NOT NULL,
    ends timestamptz NOT NULL,
    -- Kept for this channel until it is released; empty: open to all.
    channel text NOT NULL DEFAULT '',
    state text NOT NULL DEFAULT 'free' CHECK (state IN ('free', 'taken', 'closed')),
    -- A number that was given back can be taken again from this moment on.
    free_at timestamptz NOT NULL,
    appointment text COLLATE "C" NOT NULL DEFAULT ''
) WITH (fillfactor = 70);
CREATE INDEX appointments_number_sitting ON appointments_number (sitting, number);
CREATE INDEX appointments_number_kept ON appointments_number (channel, starts) WHERE channel <> '' AND state = 'free';

-- Who holds, held or waits for a number. The Appointment of the record is of the same state.
CREATE TABLE appointments_booking (
    appointment text COLLATE "C" NOT NULL,
    resident bigint NOT NULL,
    patient text COLLATE "C" NOT NULL,
    person text COLLATE "C" NOT NULL,
    -- Empty while somebody waits for one.
    number text COLLATE "C" NOT NULL DEFAULT '',
    sitting text COLLATE "C" NOT NULL,
    institution text COLLATE "C" NOT NULL,
    department text NOT NULL,
    kind text NOT NULL,
    day date NOT NULL,
    starts timestamptz NOT NULL,
    channel text NOT NULL,
    state text NOT NULL,
    -- What the booking was ordered by, a ServiceRequest.
    based_on text COLLATE "C" NOT NULL DEFAULT '',
    account text COLLATE "C" NOT NULL DEFAULT '',
    -- A keyed hash of the network address: tells that two came from one place, and not from which.
    source text COLLATE "C" NOT NULL DEFAULT '',
    key text COLLATE "C" NOT NULL DEFAULT '',
    booked timestamptz NOT NULL,
    ended timestamptz,
    late boolean NOT NULL DEFAULT false,
    excused boolean NOT NULL DEFAULT false,
    -- The queue of the day.
    place integer,
    queued timestamptz,
    called timestamptz,
    calls smallint NOT NULL DEFAULT 0,
    PRIMARY KEY (appointment, resident)
);
CREATE INDEX appointments_booking_resident ON appointments_booking (resident, day);
CREATE INDEX appointments_booking_sitting ON appointments_booking (sitting);
CREATE INDEX appointments_booking_account ON appointments_booking (account, booked);
CREATE UNIQUE INDEX appointments_booking_key ON appointments_booking (resident, key) WHERE key <> '';

-- Takes one free number for a booking: the named one, or the first that the channel may have. Whoever else is taking it at
-- this moment keeps it; nobody waits for a lock. The lock on whom it is for was taken before, by appointments_mine.
CREATE FUNCTION appointments_take(
    p_sitting text, p_number text, p_channel text, p_now timestamptz, p_appointment text
) RETURNS SETOF appointments_number
LANGUAGE sql VOLATILE AS $$
    UPDATE appointments_number n SET state = 'taken', appointment = p_appointment
    WHERE n.id = (
        SELECT f.id FROM appointments_number f
        WHERE f.sitting = p_sitting AND (p_number = '' OR f.id = p_number) AND f.state = 'free' AND f.free_at <= p_now
          AND f.starts > p_now AND f.channel IN ('', p_channel)
        ORDER BY (f.channel = ''), f.number
        LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING n.*
$$;

-- What somebody has booked, after waiting until nobody else books for the same person; a statement of its own after the lock,
-- because one that waited would still look at what was before.
CREATE FUNCTION appointments_mine(
    p_lock bigint, p_residents bigint[], p_account text, p_day date, p_since timestamptz
) RETURNS SETOF appointments_booking
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(p_lock);
    RETURN QUERY
        SELECT * FROM appointments_booking WHERE resident = ANY(p_residents) AND day >= p_day
        UNION ALL
        SELECT * FROM appointments_booking
        WHERE p_account <> '' AND account = p_account AND booked >= p_since AND NOT (resident = ANY(p_residents) AND day >= p_day);
END $$;
