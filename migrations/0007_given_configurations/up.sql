-- Of a change whose source the dispatcher cannot read itself: config.json and project.toml as they were given with it.
ALTER TABLE changes ADD COLUMN given_config TEXT;
ALTER TABLE changes ADD COLUMN given_local_phases TEXT
  CHECK (given_local_phases IS NULL OR given_config IS NOT NULL);
-- The last run of a stage of a pipeline, and who is there.
CREATE INDEX stage_runs_by_environment ON stage_runs (pipeline_path, stage, id);
