-- A person may be placed anew between a try and its repetition; the key of a window's order is its institution's own.
CREATE INDEX payments_order_key ON payments_order (key);
