DROP TABLE pool_instances;
DROP TABLE pools;
ALTER TABLE enrolment_tokens DROP COLUMN pool_instance;
ALTER TABLE enrolment_tokens DROP COLUMN capabilities;
ALTER TABLE enrolment_tokens DROP COLUMN one_off;
ALTER TABLE runners DROP COLUMN pool;
ALTER TABLE runners DROP COLUMN one_off;
