-- What an insured person has used in an insurance year, in fen. The row is locked while something of that year is settled.
--   member   the insurer's number of the person; resident: key of the Patient whose Coverage it is
--   account  what is left on the personal account
--   asked    when the insurer told these figures last
CREATE TABLE insurance_year (
    resident bigint NOT NULL,
    member text COLLATE "C" NOT NULL,
    year integer NOT NULL,
    outpatient_deductible bigint NOT NULL DEFAULT 0,
    outpatient_base bigint NOT NULL DEFAULT 0,
    outpatient_fund bigint NOT NULL DEFAULT 0,
    chronic_deductible bigint NOT NULL DEFAULT 0,
    chronic_base bigint NOT NULL DEFAULT 0,
    chronic_fund bigint NOT NULL DEFAULT 0,
    inpatient_deductible bigint NOT NULL DEFAULT 0,
    inpatient_base bigint NOT NULL DEFAULT 0,
    inpatient_fund bigint NOT NULL DEFAULT 0,
    in_range bigint NOT NULL DEFAULT 0,
    serious bigint NOT NULL DEFAULT 0,
    supplement bigint NOT NULL DEFAULT 0,
    aid_base bigint NOT NULL DEFAULT 0,
    aid bigint NOT NULL DEFAULT 0,
    admissions integer NOT NULL DEFAULT 0,
    account bigint NOT NULL DEFAULT 0 CHECK (account >= 0),
    insurer text COLLATE "C" NOT NULL,
    asked timestamptz,
    PRIMARY KEY (resident, member, year)
);
