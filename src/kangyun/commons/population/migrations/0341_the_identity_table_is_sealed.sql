-- What is compared of a Patient is sealed from now on, ID numbers included (`ids` stays empty), and its numbers and keys are
-- keyed. The platform seals old rows when it starts; it finds them here.
CREATE INDEX identity_plain ON identity (resident, patient) WHERE features LIKE '[%';
