-- Before a resident's particulars change, it is asked whether the same sender has told of a later event already.
CREATE INDEX raw_message_patient ON raw_message (patient, occurred) WHERE state = 'stored' AND patient IS NOT NULL;
