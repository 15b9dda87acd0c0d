-- SMART Health Links that residents have made of their summary. The content is encrypted with a key that stands in the
-- link alone: whoever steals this table reads nothing.
--   passcode  salted scrypt, or NULL; tries counts the wrong ones since the link was made
-- no resident: a link is opened by whoever holds it, before anybody knows whose summary it is
CREATE TABLE shared_link (
    id text COLLATE "C" PRIMARY KEY,
    resident bigint NOT NULL,
    patient text COLLATE "C" NOT NULL,
    label text NOT NULL,
    made timestamptz NOT NULL,
    expires timestamptz NOT NULL,
    ended timestamptz,
    passcode text,
    tries integer NOT NULL DEFAULT 0,
    content text NOT NULL
);
CREATE INDEX shared_link_resident ON shared_link (resident, made DESC);

-- Every opening is shown to the resident: when, and who the opener says he is.
CREATE TABLE shared_link_opening (
    resident bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    moment timestamptz NOT NULL,
    recipient text NOT NULL,
    opened boolean NOT NULL
);
CREATE INDEX shared_link_opening_link ON shared_link_opening (resident, id, moment DESC);
