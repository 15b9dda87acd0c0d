-- When an account was last logged in to: a phone number that was not used for long may have been given to somebody else.
ALTER TABLE account ADD COLUMN seen timestamptz NOT NULL DEFAULT now();

-- Guardianships follow the person, whichever account it has.
CREATE INDEX account_ward_guardian ON account_ward (guardian);
