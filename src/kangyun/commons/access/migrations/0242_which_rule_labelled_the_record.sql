-- By which state of rules/sensitive.yaml the record was labelled, and how far a labelling under way has come: types that are done.
-- no resident: one row for a state of the rule.
CREATE TABLE access_labelling (
    mark text PRIMARY KEY,
    types text[] NOT NULL DEFAULT '{}',
    done boolean NOT NULL DEFAULT false,
    at timestamptz NOT NULL DEFAULT now()
);
