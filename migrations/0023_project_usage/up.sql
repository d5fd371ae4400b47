-- Jobs of each project that have not ended: counted with each insert and each end, so that a quota costs one row.
CREATE TABLE project_usage (
  enterprise TEXT NOT NULL,
  org TEXT NOT NULL,
  project TEXT NOT NULL,
  unfinished BIGINT NOT NULL,
  PRIMARY KEY (enterprise, org, project)
);

INSERT INTO project_usage (enterprise, org, project, unfinished)
SELECT enterprise, org, project, COUNT(*) FROM jobs WHERE finished_at_ms IS NULL GROUP BY enterprise, org, project;

-- Quotas of a project that differ from those of the configuration; NULL: they do not.
CREATE TABLE project_quotas (
  enterprise TEXT NOT NULL,
  org TEXT NOT NULL,
  project TEXT NOT NULL,
  unfinished_jobs BIGINT CHECK (unfinished_jobs BETWEEN 0 AND 1000000),
  script_bytes BIGINT CHECK (script_bytes BETWEEN 1 AND 1048576),
  matrix_rows BIGINT CHECK (matrix_rows BETWEEN 1 AND 500),
  job_log_bytes BIGINT CHECK (job_log_bytes BETWEEN 65536 AND 1099511627776),
  set_at_ms BIGINT NOT NULL,
  PRIMARY KEY (enterprise, org, project)
);
