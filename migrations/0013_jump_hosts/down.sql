ALTER TABLE enrolment_tokens DROP COLUMN jump;
DROP TABLE jump_hosts;
