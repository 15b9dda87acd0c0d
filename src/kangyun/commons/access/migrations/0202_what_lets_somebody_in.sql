-- A browser's session or an app's access token: whoever holds the secret acts as `actor` until it ends.
--   secret   SHA-256 of the random secret; the secret itself is nowhere
--   actor    role, institution, practitioner, person, scopes as JSON: a change of rights revokes the entry
--   idle     seconds without use after which it ends; 0: only at `ends`
--   device, address  what the holder is shown in the list of his devices
-- no resident: most entries belong to staff and machines.
CREATE TABLE entry (
    secret bytea PRIMARY KEY,
    id text COLLATE "C" NOT NULL,
    kind text NOT NULL CHECK (kind IN ('session', 'token')),
    account text COLLATE "C",
    client text COLLATE "C",
    person text COLLATE "C",
    family text COLLATE "C",
    actor text NOT NULL,
    made timestamptz NOT NULL,
    seen timestamptz NOT NULL,
    idle integer NOT NULL,
    ends timestamptz NOT NULL,
    device text NOT NULL,
    address text NOT NULL
);
CREATE UNIQUE INDEX entry_id ON entry (id);
CREATE INDEX entry_account ON entry (account) WHERE account IS NOT NULL;
CREATE INDEX entry_client ON entry (client) WHERE client IS NOT NULL;
CREATE INDEX entry_family ON entry (family) WHERE family IS NOT NULL;
CREATE INDEX entry_ends ON entry (ends);
