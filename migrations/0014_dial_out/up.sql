-- Hosts that dial out: the key by which each opens its runner's tunnel, and tokens for such hosts.

CREATE TABLE dial_out_keys (
  -- No foreign key: it goes with its runner, in the same transaction.
  runner_id TEXT NOT NULL PRIMARY KEY CHECK (length(runner_id) = 36),
  -- `ALGORITHM BASE64`; a key opens the tunnel of one runner.
  public_key TEXT NOT NULL UNIQUE CHECK (length(public_key) BETWEEN 40 AND 1000),
  created_at_ms BIGINT NOT NULL
);

-- 1: the host that comes with it dials out.
ALTER TABLE enrolment_tokens ADD COLUMN dial_out BIGINT NOT NULL DEFAULT 0 CHECK (dial_out IN (0, 1));
