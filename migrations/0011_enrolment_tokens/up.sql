-- Tokens by which hosts enrol themselves, used ones included: src/dispatch/enrol.

CREATE TABLE enrolment_tokens (
  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),
  name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  -- The first characters of the token, to tell tokens apart.
  prefix TEXT NOT NULL CHECK (length(prefix) = 9 AND substr(prefix, 1, 5) = 'shye_'),
  -- Hexadecimal, lower case.
  sha256 TEXT NOT NULL UNIQUE CHECK (length(sha256) = 64),
  created_at_ms BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  expires_at_ms BIGINT NOT NULL,
  -- The network that its host must ask from; NULL: any.
  cidr TEXT CHECK (length(cidr) BETWEEN 3 AND 43),
  -- The name that its runner gets; NULL: the one that the host says.
  hostname TEXT CHECK (length(hostname) BETWEEN 1 AND 253),
  -- JSON array.
  labels TEXT NOT NULL,
  -- NULL: the enterprise.
  scope_org TEXT CHECK (length(scope_org) BETWEEN 1 AND 100),
  slots BIGINT NOT NULL CHECK (slots BETWEEN 1 AND 1000),
  used_at_ms BIGINT,
  -- No foreign key: the runner may be gone.
  runner_id TEXT CHECK (length(runner_id) = 36),
  runner_hostname TEXT,
  revoked_at_ms BIGINT,
  CONSTRAINT it_lives_for_a_while CHECK (expires_at_ms > created_at_ms),
  CONSTRAINT a_use_is_whole
    CHECK ((used_at_ms IS NULL) = (runner_id IS NULL) AND (used_at_ms IS NULL) = (runner_hostname IS NULL)),
  CONSTRAINT a_used_token_was_good CHECK (used_at_ms IS NULL OR (used_at_ms < expires_at_ms AND revoked_at_ms IS NULL)),
  CONSTRAINT a_use_takes_the_name CHECK (used_at_ms IS NULL OR hostname IS NULL OR hostname = runner_hostname)
);
