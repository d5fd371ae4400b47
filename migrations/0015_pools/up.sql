-- Runners that take one job, and pools: machines that are started when jobs wait for them.

-- JSON `{"job": "ID"}` or `{}` of a runner that takes one job only; NULL: it takes any number.
ALTER TABLE runners ADD COLUMN one_off TEXT;
-- The pool that started its machine; NULL: none.
ALTER TABLE runners ADD COLUMN pool TEXT;

ALTER TABLE enrolment_tokens ADD COLUMN one_off BOOLEAN NOT NULL DEFAULT FALSE;
-- JSON array.
ALTER TABLE enrolment_tokens ADD COLUMN capabilities TEXT NOT NULL DEFAULT '[]';
-- The instance of a pool that this token is for; NULL: a person's token.
ALTER TABLE enrolment_tokens ADD COLUMN pool_instance TEXT;

CREATE TABLE pools (
  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),
  name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 40),
  -- What people say about it, as JSON.
  spec TEXT NOT NULL,
  -- By which its calls are signed; base64.
  sealed_secret TEXT NOT NULL,
  -- Its instances are stopped, then it goes.
  deleting BOOLEAN NOT NULL,
  created_at_ms BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  version BIGINT NOT NULL CHECK (version >= 0)
);

-- Machines that were asked for. The row is there before the provider is asked.
CREATE TABLE pool_instances (
  -- Our name for it, and its runner's.
  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 3 AND 80),
  pool_id TEXT NOT NULL CHECK (length(pool_id) = 36),
  state TEXT NOT NULL CHECK (state IN ('starting', 'enrolled', 'draining', 'stopping', 'stopped', 'failed')),
  -- Why it is left, once it is.
  reason TEXT CHECK (length(reason) BETWEEN 1 AND 40),
  -- Who wanted that, or what went wrong.
  note TEXT,
  -- The provider's name for it.
  provider_id TEXT CHECK (length(provider_id) BETWEEN 1 AND 200),
  token_id TEXT NOT NULL CHECK (length(token_id) = 36),
  -- The token itself, until it was used; base64.
  sealed_token TEXT,
  runner_id TEXT CHECK (length(runner_id) = 36),
  created_at_ms BIGINT NOT NULL,
  state_at_ms BIGINT NOT NULL,
  -- When the provider said yes.
  accepted_at_ms BIGINT,
  enrolled_at_ms BIGINT,
  version BIGINT NOT NULL CHECK (version >= 0),
  CONSTRAINT an_enrolled_one_has_a_runner CHECK (state NOT IN ('enrolled', 'draining') OR runner_id IS NOT NULL),
  CONSTRAINT what_is_left_has_a_reason CHECK ((state IN ('starting', 'enrolled')) = (reason IS NULL))
);
CREATE INDEX pool_instances_by_pool ON pool_instances (pool_id, created_at_ms);
CREATE UNIQUE INDEX pool_instances_by_token ON pool_instances (token_id);
