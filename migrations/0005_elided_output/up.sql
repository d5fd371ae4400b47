-- What of a finished job's output was received and summed, but not kept. NULL: written before this column was, or no end yet.

ALTER TABLE jobs ADD COLUMN log_elided_bytes BIGINT CHECK (log_elided_bytes BETWEEN 0 AND log_bytes);
