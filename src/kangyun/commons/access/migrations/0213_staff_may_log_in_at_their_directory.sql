-- Directories of institutions (OpenID Connect providers) that may say who somebody is, never what he may do.
--   claim   of the id_token that must equal the user name of a member of the institution when the two are first linked
--   second  whether the directory itself asks for a second factor: then none is asked for here
-- no resident: it is about institutions
CREATE TABLE outside_provider (
    id text COLLATE "C" PRIMARY KEY,
    institution text COLLATE "C" NOT NULL,
    title text NOT NULL,
    issuer text NOT NULL,
    client_id text NOT NULL,
    client_secret bytea,
    claim text NOT NULL,
    second boolean NOT NULL,
    ended timestamptz
);
