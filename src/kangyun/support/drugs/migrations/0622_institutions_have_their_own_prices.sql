-- What one package costs at an institution from a moment on, in fen; the newest row that has begun counts.
-- no resident: prices of an institution
CREATE TABLE drugs_price (
    institution text COLLATE "C" NOT NULL,
    code text COLLATE "C" NOT NULL,
    since timestamptz NOT NULL,
    fen bigint NOT NULL CHECK (fen >= 0),
    actor text NOT NULL,
    PRIMARY KEY (institution, code, since)
);
