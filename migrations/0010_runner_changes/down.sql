-- The wider CHECK of runner_events stays: rows may need it.
ALTER TABLE runners DROP COLUMN state_note;
