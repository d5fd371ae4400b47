-- How many jobs of a project may run at a time. A project need not have been made: jobs name theirs as they like.
CREATE TABLE project_limits (
  enterprise TEXT NOT NULL,
  org TEXT NOT NULL,
  project TEXT NOT NULL,
  running BIGINT NOT NULL CHECK (running BETWEEN 0 AND 1000000),
  set_at_ms BIGINT NOT NULL,
  PRIMARY KEY (enterprise, org, project)
);
