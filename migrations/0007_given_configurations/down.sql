DROP INDEX stage_runs_open_by_pipeline;
DROP INDEX stage_runs_by_environment;
ALTER TABLE changes DROP COLUMN given_local_phases;
ALTER TABLE changes DROP COLUMN given_config;
