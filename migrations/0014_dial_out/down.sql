ALTER TABLE enrolment_tokens DROP COLUMN dial_out;
DROP TABLE dial_out_keys;
