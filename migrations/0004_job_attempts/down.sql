-- The wider CHECK of job_events stays: rows may need it.
DROP TABLE job_attempts;
