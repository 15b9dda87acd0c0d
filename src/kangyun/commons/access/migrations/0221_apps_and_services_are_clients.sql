-- Programs that may ask for access tokens (RFC 6749 section 2).
--   kind       public: runs where it cannot keep a secret; confidential: a web application that can;
--              backend: a service that acts for itself (SMART Backend Services)
--   secret     SHA-256 of a random secret of 256 bits, which itself is nowhere; a hash that is slow by design guards
--              only what people choose. NULL: it proves itself by a key, or cannot prove itself at all
--   redirects  addresses to which a browser may be sent back, compared sign by sign
--   jwks, jwks_uri  its public keys, or where they are fetched
--   launch     address at which it is opened from a resident's page (SMART App Launch, EHR launch)
--   abilities  grants it may use, and introspection
--   scopes     the most it may ever be granted
--   role, institution  as what and where a service acts for itself
-- no resident: programs belong to nobody.
CREATE TABLE oauth_client (
    id text COLLATE "C" PRIMARY KEY,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('public', 'confidential', 'backend')),
    secret bytea,
    redirects text[] NOT NULL,
    jwks text,
    jwks_uri text,
    launch text,
    abilities text[] NOT NULL,
    scopes text NOT NULL,
    role text NOT NULL,
    institution text COLLATE "C",
    state text NOT NULL CHECK (state IN ('active', 'revoked')),
    made timestamptz NOT NULL,
    made_by text COLLATE "C" NOT NULL,
    used timestamptz
);

-- Client assertions that were used: each is good once, whichever process it reaches (RFC 7523 section 3, jti).
-- no resident: programs belong to nobody.
CREATE TABLE oauth_assertion (
    client text COLLATE "C" NOT NULL,
    jti bytea NOT NULL,
    ends timestamptz NOT NULL,
    PRIMARY KEY (client, jti)
);
CREATE INDEX oauth_assertion_ends ON oauth_assertion (ends);
