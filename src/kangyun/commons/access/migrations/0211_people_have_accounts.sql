-- People who log in. Phone numbers are sealed; what is looked up is a keyed hash of them. No name is kept here.
--   login   user name of staff, small letters; residents have a phone instead
--   person, practitioner   ids of the Person a resident is bound to, of the Practitioner a member of staff is
--   state   invited (no password yet), active, locked (by an administrator), closed
-- no resident: an account is found by its name or phone before anybody knows whose it is
CREATE TABLE account (
    id text COLLATE "C" PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('resident', 'staff')),
    login text COLLATE "C" UNIQUE,
    phone bytea,
    phone_index bytea UNIQUE,
    person text COLLATE "C" UNIQUE,
    practitioner text COLLATE "C",
    state text NOT NULL CHECK (state IN ('invited', 'active', 'locked', 'closed')),
    made timestamptz NOT NULL
);

-- What an account proves itself with.
--   kind     password (argon2id hash), totp (sealed secret), passkey (public key), recovery (keyed hash of a code), outside (nothing)
--   handle   how it is found: id of a passkey, hash of issuer and subject of an outside directory
--   count    signatures of a passkey, last time step of a totp: neither may go back
--   ended    a former password, kept so that it does not come back; a recovery code that was used
-- no resident: a passkey is found by its own id
CREATE TABLE credential (
    id text COLLATE "C" PRIMARY KEY,
    account text COLLATE "C" NOT NULL,
    kind text NOT NULL CHECK (kind IN ('password', 'totp', 'passkey', 'recovery', 'outside')),
    handle bytea,
    content bytea NOT NULL,
    count bigint NOT NULL DEFAULT 0,
    title text NOT NULL DEFAULT '',
    made timestamptz NOT NULL,
    used timestamptz,
    ended timestamptz
);
CREATE INDEX credential_account ON credential (account, kind, made);
CREATE UNIQUE INDEX credential_handle ON credential (kind, handle);

-- What staff may be: a role at an institution (id of an Organization; '' for the platform as a whole).
-- no resident: it is about staff
CREATE TABLE membership (
    id text COLLATE "C" PRIMARY KEY,
    account text COLLATE "C" NOT NULL,
    institution text COLLATE "C" NOT NULL,
    role text NOT NULL,
    practitioner text COLLATE "C",
    starts timestamptz NOT NULL,
    ends timestamptz
);
CREATE INDEX membership_account ON membership (account);
CREATE INDEX membership_institution ON membership (institution);

-- A link by which somebody becomes staff, or chooses a new password: SHA-256 of its token, good once and for hours.
--   account   whose it is, when it is for an account that exists
-- no resident: it is about staff
CREATE TABLE invitation (
    token bytea PRIMARY KEY,
    id text COLLATE "C" NOT NULL,
    kind text NOT NULL CHECK (kind IN ('join', 'password', 'second')),
    account text COLLATE "C",
    institution text COLLATE "C" NOT NULL,
    role text NOT NULL,
    practitioner text COLLATE "C",
    made_by text COLLATE "C" NOT NULL,
    made timestamptz NOT NULL,
    ends timestamptz NOT NULL,
    used timestamptz
);
CREATE INDEX invitation_institution ON invitation (institution, made DESC);
CREATE UNIQUE INDEX invitation_id ON invitation (id);

-- Codes sent to phones: a keyed hash of the phone and of the code. Counts hold in every process because they are here.
-- no resident: a code is sent before anybody knows whose phone it is
CREATE TABLE one_time_code (
    id text COLLATE "C" PRIMARY KEY,
    phone_index bytea NOT NULL,
    hash bytea NOT NULL,
    made timestamptz NOT NULL,
    ends timestamptz NOT NULL,
    tries integer NOT NULL DEFAULT 0,
    used timestamptz
);
CREATE INDEX one_time_code_phone ON one_time_code (phone_index, made DESC);
CREATE INDEX one_time_code_made ON one_time_code (made);

-- Failures by keyed hash of what they concern (a user name, an address, an account's second factor, an ID number).
-- Names are counted whether or not somebody has them, so that a lock tells nothing.
-- no resident: failures come before anybody is known
CREATE TABLE login_failure (
    subject bytea PRIMARY KEY,
    moments timestamptz[] NOT NULL,
    locked timestamptz
);

-- Where a login stands between its first step and its last: sealed, found by SHA-256 of the browser's secret.
-- no resident: a login is nobody's yet
CREATE TABLE login_step (
    secret bytea PRIMARY KEY,
    content bytea NOT NULL,
    ends timestamptz NOT NULL
);
CREATE INDEX login_step_ends ON login_step (ends);
