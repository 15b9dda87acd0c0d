-- That somebody lets an app in: a family of tokens, which all end when it is revoked.
--   actor     as what the app acts: role, institution, practitioner, person as JSON
--   patient   id of the Patient it was opened for; encounter likewise
--   renews    until when refresh tokens are given; NULL: none are
-- no resident: staff let apps in as well
CREATE TABLE oauth_grant (
    id text COLLATE "C" PRIMARY KEY,
    client text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    person text COLLATE "C",
    actor text NOT NULL,
    scopes text NOT NULL,
    patient text COLLATE "C",
    encounter text COLLATE "C",
    made timestamptz NOT NULL,
    used timestamptz NOT NULL,
    ends timestamptz NOT NULL,
    renews timestamptz
);
CREATE INDEX oauth_grant_account ON oauth_grant (account, made DESC);
CREATE INDEX oauth_grant_client ON oauth_grant (client);
CREATE INDEX oauth_grant_ends ON oauth_grant (ends);

-- Authorization codes by SHA-256: good once and for seconds. One that was used is kept, because a second use shows that
-- it was stolen (RFC 6749 section 4.1.2).
--   challenge  of PKCE, method S256
--   nonce      comes back in the id_token
-- no resident: a code is found by itself.
CREATE TABLE oauth_code (
    code bytea PRIMARY KEY,
    grant_id text COLLATE "C" NOT NULL,
    redirect text NOT NULL,
    challenge text NOT NULL,
    nonce text NOT NULL,
    logged_in timestamptz NOT NULL,
    ends timestamptz NOT NULL,
    used timestamptz
);
CREATE INDEX oauth_code_grant ON oauth_code (grant_id);

-- Refresh tokens by SHA-256. Each is good once and gives the next; an old one that comes again ends the family
-- (OAuth 2.1 section 4.3.1).
-- no resident: a token is found by itself.
CREATE TABLE oauth_refresh (
    secret bytea PRIMARY KEY,
    grant_id text COLLATE "C" NOT NULL,
    made timestamptz NOT NULL,
    used timestamptz
);
CREATE INDEX oauth_refresh_grant ON oauth_refresh (grant_id);

-- Requests of apps that wait for a person's answer, so that they survive the login without standing in an address.
-- no resident: nobody has logged in yet.
CREATE TABLE oauth_asking (
    secret bytea PRIMARY KEY,
    client text COLLATE "C" NOT NULL,
    content text NOT NULL,
    ends timestamptz NOT NULL
);
CREATE INDEX oauth_asking_ends ON oauth_asking (ends);

-- Launches from a resident's page: the app gets the secret, and whoever made it answers its request within minutes.
-- no resident: found by the secret, gone in minutes.
CREATE TABLE oauth_launch (
    secret bytea PRIMARY KEY,
    client text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    patient text COLLATE "C" NOT NULL,
    encounter text COLLATE "C",
    ends timestamptz NOT NULL
);
CREATE INDEX oauth_launch_ends ON oauth_launch (ends);
