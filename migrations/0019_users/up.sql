-- Who may do what: src/dispatch/accounts/. Roles and places are those of src/domain/access.rs.

CREATE TABLE users (
  name TEXT NOT NULL PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 100),
  -- argon2id as a PHC string; NULL: only tokens lead in.
  password TEXT CHECK (password LIKE '$argon2id$%'),
  password_set_at_ms BIGINT,
  created_at_ms BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  disabled_at_ms BIGINT,
  CONSTRAINT a_password_has_its_date CHECK ((password IS NULL) = (password_set_at_ms IS NULL))
);

CREATE TABLE grants (
  user_name TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
  role TEXT NOT NULL CHECK (role IN ('admin', 'committer', 'reviewer', 'shipper', 'observer')),
  -- Empty: in the whole enterprise, or in the whole organisation.
  org TEXT NOT NULL CHECK (length(org) <= 100),
  project TEXT NOT NULL CHECK (length(project) <= 100),
  granted_at_ms BIGINT NOT NULL,
  granted_by TEXT NOT NULL,
  PRIMARY KEY (user_name, role, org, project),
  CONSTRAINT a_project_lies_in_an_organisation CHECK (org <> '' OR project = '')
);

-- The tokens that there were are the one of the file.
ALTER TABLE tokens ADD COLUMN kind TEXT NOT NULL DEFAULT 'admin' CHECK (kind IN ('admin', 'login', 'personal', 'machine'));
-- Whose it is: of `login` and `personal` ones only.
ALTER TABLE tokens ADD COLUMN user_name TEXT REFERENCES users (name) ON DELETE CASCADE;
-- JSON: src/domain/wire/access.rs, GrantBody; of `machine` ones only.
ALTER TABLE tokens ADD COLUMN grants TEXT;
ALTER TABLE tokens ADD COLUMN created_by TEXT;

CREATE INDEX tokens_of_users ON tokens (user_name);
