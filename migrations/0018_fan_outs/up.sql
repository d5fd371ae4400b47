-- One command on every matching runner. The CHECK constraints restate src/domain/fan_out.
CREATE TABLE fan_outs (
  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),
  enterprise TEXT NOT NULL,
  org TEXT NOT NULL,
  project TEXT NOT NULL,
  title TEXT NOT NULL,
  -- JSON: src/domain/job/spec.rs and filter.rs, as each job gets the one, and as the runners were chosen by the other.
  spec TEXT NOT NULL,
  filter TEXT NOT NULL,
  priority INTEGER NOT NULL,
  -- JSON: src/domain/fan_out, Pace and LeftOut.
  pace TEXT NOT NULL,
  left_out TEXT NOT NULL,
  repeats TEXT REFERENCES fan_outs (id),
  created_at_ms BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  cancel_at_ms BIGINT,
  cancel_by TEXT,
  finished_at_ms BIGINT,
  status TEXT CHECK (status IN ('succeeded', 'failed', 'cancelled')),
  version BIGINT NOT NULL CHECK (version >= 0),
  CONSTRAINT a_cancel_is_whole CHECK ((cancel_at_ms IS NULL) = (cancel_by IS NULL)),
  CONSTRAINT an_end_is_whole CHECK ((finished_at_ms IS NULL) = (status IS NULL)),
  CONSTRAINT only_what_somebody_cancelled_is_cancelled CHECK (status <> 'cancelled' OR cancel_at_ms IS NOT NULL)
);

CREATE INDEX fan_outs_open ON fan_outs (id) WHERE finished_at_ms IS NULL;

-- One row a runner, in the order in which they are started. The runner may be deleted later: its name stays.
CREATE TABLE fan_out_rows (
  fan_out_id TEXT NOT NULL REFERENCES fan_outs (id),
  number BIGINT NOT NULL CHECK (number >= 0),
  runner_id TEXT NOT NULL,
  hostname TEXT NOT NULL,
  -- Set once, together with the job's insert: a step that is done twice is refused.
  job_id TEXT UNIQUE REFERENCES jobs (id),
  not_run_reason TEXT CHECK (not_run_reason IN ('canary_failed', 'max_failures', 'cancelled', 'runner_deleted')),
  PRIMARY KEY (fan_out_id, number),
  UNIQUE (fan_out_id, runner_id)
);
