-- Of a change whose source the dispatcher cannot read itself: config.json and project.toml as they were given with it.
ALTER TABLE changes ADD COLUMN given_config TEXT;
ALTER TABLE changes ADD COLUMN given_local_phases TEXT
  CHECK (given_local_phases IS NULL OR given_config IS NOT NULL);
-- The last run of a stage of a pipeline.
CREATE INDEX stage_runs_by_environment ON stage_runs (pipeline_path, stage, id);
-- Who is in its stages now.
CREATE INDEX stage_runs_open_by_pipeline ON stage_runs (pipeline_path) WHERE finished_at_ms IS NULL;
