-- A number is held while somebody pays for it, until this moment; then it is given back. Empty for what is booked for good.
ALTER TABLE appointments_booking ADD COLUMN held_until timestamptz;
CREATE INDEX appointments_booking_held ON appointments_booking (held_until) WHERE state = 'pending';
