-- Tenancy, changes and their way through the stages. The CHECK constraints restate src/domain/change.rs and stage/.

CREATE TABLE orgs (
  enterprise TEXT NOT NULL CHECK (length(enterprise) BETWEEN 1 AND 100),
  name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  created_at_ms BIGINT NOT NULL,
  PRIMARY KEY (enterprise, name)
);

CREATE TABLE projects (
  enterprise TEXT NOT NULL,
  org TEXT NOT NULL,
  name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  created_at_ms BIGINT NOT NULL,
  PRIMARY KEY (enterprise, org, name),
  FOREIGN KEY (enterprise, org) REFERENCES orgs (enterprise, name)
);

CREATE TABLE pipelines (
  enterprise TEXT NOT NULL,
  org TEXT NOT NULL,
  project TEXT NOT NULL,
  name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  created_at_ms BIGINT NOT NULL,
  PRIMARY KEY (enterprise, org, project, name),
  FOREIGN KEY (enterprise, org, project) REFERENCES projects (enterprise, org, name)
);

CREATE TABLE changes (
  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),
  enterprise TEXT NOT NULL,
  org TEXT NOT NULL,
  project TEXT NOT NULL,
  pipeline TEXT NOT NULL,
  title TEXT NOT NULL CHECK (length(title) BETWEEN 1 AND 500),
  description TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'merged', 'closed')),
  -- JSON: src/domain/change.rs, Source.
  source TEXT NOT NULL,
  submitted_at_ms BIGINT NOT NULL,
  submitted_by TEXT NOT NULL,
  approved_at_ms BIGINT,
  approved_by TEXT,
  delivered_at_ms BIGINT,
  delivered_by TEXT,
  version BIGINT NOT NULL CHECK (version >= 0),
  FOREIGN KEY (enterprise, org, project, pipeline) REFERENCES pipelines (enterprise, org, project, name),
  CONSTRAINT who_and_when_go_together
    CHECK ((approved_at_ms IS NULL) = (approved_by IS NULL) AND (delivered_at_ms IS NULL) = (delivered_by IS NULL)),
  CONSTRAINT merged_is_approved CHECK ((state = 'merged') = (approved_at_ms IS NOT NULL)),
  CONSTRAINT delivered_was_approved CHECK (delivered_at_ms IS NULL OR approved_at_ms IS NOT NULL)
);

CREATE INDEX changes_by_pipeline ON changes (enterprise, org, project, pipeline, id);
-- What stands in the shared environments.
CREATE INDEX changes_delivered ON changes (enterprise, org, pipeline, project, delivered_at_ms)
  WHERE delivered_at_ms IS NOT NULL;

CREATE TABLE stage_runs (
  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),
  change_id TEXT NOT NULL REFERENCES changes (id),
  -- ENTERPRISE/ORG/PROJECT/PIPELINE of the change.
  pipeline_path TEXT NOT NULL,
  stage TEXT NOT NULL CHECK (stage IN ('verify', 'build', 'acceptance', 'union', 'rehearsal', 'delivered')),
  number BIGINT NOT NULL CHECK (number > 0),
  triggered_by TEXT,
  repeats TEXT REFERENCES stage_runs (id),
  -- The configuration as it was read from the change's source, and what it became: JSON, src/domain/plan.
  config_text TEXT,
  plan TEXT,
  plan_fault TEXT,
  cancel_at_ms BIGINT,
  cancel_by TEXT,
  created_at_ms BIGINT NOT NULL,
  finished_at_ms BIGINT,
  status TEXT CHECK (status IN ('passed', 'failed', 'skipped')),
  version BIGINT NOT NULL CHECK (version >= 0),
  UNIQUE (change_id, stage, number),
  CONSTRAINT a_run_repeats_another CHECK (repeats IS NULL OR (repeats <> id AND triggered_by IS NOT NULL)),
  CONSTRAINT a_plan_or_a_fault CHECK (plan IS NULL OR plan_fault IS NULL),
  CONSTRAINT a_cancel_is_whole CHECK ((cancel_at_ms IS NULL) = (cancel_by IS NULL)),
  CONSTRAINT an_end_is_whole CHECK ((finished_at_ms IS NULL) = (status IS NULL)),
  CONSTRAINT only_what_was_planned_and_not_cancelled_passes
    CHECK (status IS NULL OR status = 'failed' OR (plan IS NOT NULL AND cancel_at_ms IS NULL))
);

CREATE INDEX stage_runs_by_change ON stage_runs (change_id, id);
-- One run of a change at a time, and one change at a time in a stage that deploys into a shared environment.
CREATE UNIQUE INDEX stage_runs_open_by_change ON stage_runs (change_id) WHERE finished_at_ms IS NULL;
CREATE UNIQUE INDEX stage_runs_open_by_environment ON stage_runs (pipeline_path, stage)
  WHERE finished_at_ms IS NULL AND stage IN ('acceptance', 'union', 'rehearsal', 'delivered');

-- NULL: a phase that was run by itself, which has its own configuration. One of a stage has empty ones: its stage
-- run holds them.
ALTER TABLE phase_runs ADD COLUMN stage_run_id TEXT REFERENCES stage_runs (id);
-- JSON object: row to the job that passed in the run that this one repeats.
ALTER TABLE phase_runs ADD COLUMN carried TEXT CHECK ((carried IS NULL) = (stage_run_id IS NULL));
ALTER TABLE phase_runs ADD COLUMN finished_at_ms BIGINT CHECK (finished_at_ms IS NULL OR stage_run_id IS NOT NULL);
ALTER TABLE phase_runs ADD COLUMN status TEXT
  CHECK ((status IS NULL OR status IN ('passed', 'failed', 'skipped')) AND (status IS NULL) = (finished_at_ms IS NULL));
CREATE UNIQUE INDEX phase_runs_by_stage_run ON phase_runs (stage_run_id, project, phase) WHERE stage_run_id IS NOT NULL;

-- The jobs of each row of a stage's phase run: a lost one may be followed by another. A table of its own, so that a
-- row that is submitted twice is refused, and because most jobs belong to no stage.
CREATE TABLE row_jobs (
  phase_run_id TEXT NOT NULL REFERENCES phase_runs (id),
  matrix_row BIGINT NOT NULL CHECK (matrix_row >= 0),
  -- Counts the jobs of the row.
  turn BIGINT NOT NULL CHECK (turn > 0),
  job_id TEXT NOT NULL UNIQUE REFERENCES jobs (id) ON DELETE CASCADE,
  PRIMARY KEY (phase_run_id, matrix_row, turn)
);
