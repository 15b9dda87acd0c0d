-- Two readings of one moment (two loggers in one box) are both kept: which one came first must not decide what the log says.
ALTER TABLE drugs_temperature DROP CONSTRAINT drugs_temperature_pkey, ADD PRIMARY KEY (resident, parcel, at, celsius);
