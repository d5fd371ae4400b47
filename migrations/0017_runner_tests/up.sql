-- The probes of each runner's last Test. Beside the runner: a list of runners is read often and does not need them.
CREATE TABLE runner_tests (
  -- No foreign key: the runner's row is written more often than this one, and both go in one transaction.
  runner_id TEXT NOT NULL PRIMARY KEY CHECK (length(runner_id) = 36),
  at_ms BIGINT NOT NULL,
  -- Who wanted it: a person (`test`), or the dispatcher itself (`check`).
  made_as TEXT NOT NULL CHECK (made_as IN ('test', 'check')),
  -- JSON array, in the order of the probes.
  probes TEXT NOT NULL
);
