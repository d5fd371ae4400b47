ALTER TABLE jobs DROP COLUMN log_elided_bytes;
