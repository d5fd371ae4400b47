-- What each runner's last Tests came to, in a word; the probes are kept of the last one only (runner_tests).
CREATE TABLE runner_test_history (
  runner_id TEXT NOT NULL CHECK (length(runner_id) = 36),
  at_ms BIGINT NOT NULL,
  made_as TEXT NOT NULL CHECK (made_as IN ('test', 'check')),
  verdict TEXT NOT NULL CHECK (verdict IN ('skipped', 'ok', 'warn', 'fail')),
  -- The first probe with that verdict, and what was seen; NULL when all is well.
  said TEXT,
  PRIMARY KEY (runner_id, at_ms)
);
