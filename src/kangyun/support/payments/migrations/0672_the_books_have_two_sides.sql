-- no resident: the books are those of channels and institutions
CREATE TABLE payments_account (
    code text PRIMARY KEY,
    opened timestamptz NOT NULL DEFAULT now()
);

-- `made_in` is the database's transaction: nothing is added to a transaction of the books later.
-- no resident: the books are those of channels and institutions
CREATE TABLE payments_transaction (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    reference text NOT NULL,
    at timestamptz NOT NULL,
    day date NOT NULL,
    made_in xid8 NOT NULL DEFAULT pg_current_xact_id(),
    UNIQUE (kind, reference)
);
CREATE INDEX payments_transaction_day ON payments_transaction (day);

-- Debits are positive, credits negative.
-- no resident: the books are those of channels and institutions
CREATE TABLE payments_posting (
    transaction bigint NOT NULL REFERENCES payments_transaction,
    place smallint NOT NULL,
    account text NOT NULL REFERENCES payments_account,
    fen bigint NOT NULL CHECK (fen <> 0),
    PRIMARY KEY (transaction, place)
);
CREATE INDEX payments_posting_account ON payments_posting (account) INCLUDE (fen);

CREATE FUNCTION payments_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    entry bigint;
    within boolean;
BEGIN
    entry := CASE TG_TABLE_NAME WHEN 'payments_posting' THEN (to_jsonb(NEW) ->> 'transaction')::bigint ELSE (to_jsonb(NEW) ->> 'id')::bigint END;
    SELECT made_in = pg_current_xact_id() INTO within FROM payments_transaction WHERE id = entry;
    IF within IS NOT TRUE THEN
        RAISE EXCEPTION 'a transaction of the books is complete when it is made' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF (SELECT count(*) < 2 OR sum(fen) <> 0 FROM payments_posting WHERE transaction = entry) THEN
        RAISE EXCEPTION 'a transaction of the books has two sides that are equal' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION payments_only_appended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the books are only added to' USING ERRCODE = 'integrity_constraint_violation';
END
$$;

-- At the end of the database's transaction, when both sides are there.
CREATE CONSTRAINT TRIGGER payments_posting_balanced AFTER INSERT ON payments_posting
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payments_balanced();
CREATE CONSTRAINT TRIGGER payments_transaction_balanced AFTER INSERT ON payments_transaction
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payments_balanced();

CREATE TRIGGER payments_posting_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON payments_posting
    FOR EACH STATEMENT EXECUTE FUNCTION payments_only_appended();
CREATE TRIGGER payments_transaction_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON payments_transaction
    FOR EACH STATEMENT EXECUTE FUNCTION payments_only_appended();
CREATE TRIGGER payments_account_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON payments_account
    FOR EACH STATEMENT EXECUTE FUNCTION payments_only_appended();
