-- What stands on an institution's papers beside name, address and telephone, which its Organization says.
-- no resident: one row for an institution
CREATE TABLE letterhead (
    institution text COLLATE "C" PRIMARY KEY,
    colour text NOT NULL,
    logo bytea,
    logo_type text,
    changed timestamptz NOT NULL,
    changed_by text COLLATE "C" NOT NULL
);
