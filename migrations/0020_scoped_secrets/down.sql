DROP TABLE job_secrets;
CREATE TABLE project_secrets (
  enterprise TEXT NOT NULL CHECK (length(enterprise) BETWEEN 1 AND 100),
  org TEXT NOT NULL CHECK (length(org) <= 100),
  project TEXT NOT NULL CHECK (length(project) <= 100),
  name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  sealed TEXT NOT NULL CHECK (length(sealed) > 0),
  created_at_ms BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  updated_at_ms BIGINT NOT NULL,
  PRIMARY KEY (enterprise, org, project, name),
  CONSTRAINT a_project_is_in_an_org CHECK (project = '' OR org <> '')
);
INSERT INTO project_secrets (enterprise, org, project, name, sealed, created_at_ms, created_by, updated_at_ms)
  SELECT enterprise, org, project, name, sealed, created_at_ms, created_by, updated_at_ms FROM secrets WHERE runner_id = '';
DROP TABLE secrets;
ALTER TABLE project_secrets RENAME TO secrets;
