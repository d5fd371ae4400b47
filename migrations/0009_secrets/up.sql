-- Secrets, sealed: src/domain/secret.rs. An empty text stands for a wider scope; today only projects have secrets.
-- No foreign key: a project may be named by jobs before it is made.

CREATE TABLE secrets (
  enterprise TEXT NOT NULL CHECK (length(enterprise) BETWEEN 1 AND 100),
  org TEXT NOT NULL CHECK (length(org) <= 100),
  project TEXT NOT NULL CHECK (length(project) <= 100),
  name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  -- base64; the associated data is the row's key: src/dispatch/secrets.rs.
  sealed TEXT NOT NULL CHECK (length(sealed) > 0),
  created_at_ms BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  updated_at_ms BIGINT NOT NULL,
  PRIMARY KEY (enterprise, org, project, name),
  CONSTRAINT a_project_is_in_an_org CHECK (project = '' OR org <> '')
);
