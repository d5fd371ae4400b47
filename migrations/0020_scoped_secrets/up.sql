-- Secrets of every scope, and what each unfinished job was handed.

-- As in 0009, and of runners: the primary key of a table cannot be changed in SQLite.
CREATE TABLE scoped_secrets (
  enterprise TEXT NOT NULL CHECK (length(enterprise) BETWEEN 1 AND 100),
  org TEXT NOT NULL CHECK (length(org) <= 100),
  project TEXT NOT NULL CHECK (length(project) <= 100),
  -- The runner's id; empty for a secret of the other scopes.
  runner_id TEXT NOT NULL CHECK (length(runner_id) <= 36),
  name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  -- base64; the associated data is the row's key: src/store/secrets.rs.
  sealed TEXT NOT NULL CHECK (length(sealed) > 0),
  created_at_ms BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  updated_at_ms BIGINT NOT NULL,
  updated_by TEXT NOT NULL,
  PRIMARY KEY (enterprise, org, project, runner_id, name),
  CONSTRAINT a_scoped_project_is_in_an_org CHECK (project = '' OR org <> ''),
  CONSTRAINT a_runner_is_in_no_org CHECK (runner_id = '' OR org = '')
);
INSERT INTO scoped_secrets (enterprise, org, project, runner_id, name, sealed, created_at_ms, created_by, updated_at_ms, updated_by)
  SELECT enterprise, org, project, '', name, sealed, created_at_ms, created_by, updated_at_ms, created_by FROM secrets;
DROP TABLE secrets;
ALTER TABLE scoped_secrets RENAME TO secrets;

-- The values that a job was handed at its last start, sealed: what is masked in its output, also after a restart and when a
-- secret has changed since. Gone with the job's end.
CREATE TABLE job_secrets (
  job_id TEXT NOT NULL PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
  -- base64 of a sealed JSON list of texts.
  sealed TEXT NOT NULL CHECK (length(sealed) > 0)
);
