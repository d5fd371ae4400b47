-- One text for SQLite and PostgreSQL. Ids are UUIDv7 as text, times are unix milliseconds, JSON is text.
-- The CHECK constraints restate the state machine of src/domain/job.rs: a row that the program could not
-- have written is refused, whoever writes it.

CREATE TABLE settings (
  name TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
);

CREATE TABLE runners (
  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),
  hostname TEXT NOT NULL UNIQUE CHECK (length(hostname) BETWEEN 1 AND 253),
  endpoint TEXT NOT NULL,
  openssh_public_key TEXT NOT NULL,
  -- base64 of the sealed bytes: BLOB and BYTEA have no common name.
  sealed_private_key TEXT NOT NULL,
  installation TEXT NOT NULL,
  facts TEXT NOT NULL,
  labels TEXT NOT NULL,
  capabilities TEXT NOT NULL,
  -- NULL: every organisation of the enterprise.
  scope_org TEXT,
  slots BIGINT NOT NULL CHECK (slots >= 0),
  state TEXT NOT NULL CHECK (state IN ('pending', 'enrolled', 'draining', 'disabled', 'quarantined')),
  health TEXT NOT NULL,
  created_at_ms BIGINT NOT NULL,
  last_seen_at_ms BIGINT,
  version BIGINT NOT NULL CHECK (version >= 0)
);

CREATE TABLE phase_runs (
  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),
  enterprise TEXT NOT NULL,
  org TEXT NOT NULL,
  project TEXT NOT NULL,
  phase TEXT NOT NULL CHECK (phase IN ('unit', 'lint', 'syntax', 'quality', 'security', 'publish', 'provision',
                                       'deploy', 'smoke', 'functional')),
  stage TEXT CHECK (stage IN ('verify', 'build', 'acceptance', 'union', 'rehearsal', 'delivered')),
  config_digest TEXT NOT NULL,
  config_text TEXT NOT NULL,
  created_at_ms BIGINT NOT NULL,
  skipped BOOLEAN NOT NULL
);

CREATE TABLE jobs (
  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),
  enterprise TEXT NOT NULL,
  org TEXT NOT NULL,
  project TEXT NOT NULL,
  stage TEXT CHECK (stage IN ('verify', 'build', 'acceptance', 'union', 'rehearsal', 'delivered')),
  phase TEXT CHECK (phase IN ('unit', 'lint', 'syntax', 'quality', 'security', 'publish', 'provision',
                              'deploy', 'smoke', 'functional')),
  phase_run_id TEXT REFERENCES phase_runs (id),
  matrix_row BIGINT NOT NULL CHECK (matrix_row >= 0),
  title TEXT NOT NULL,
  spec TEXT NOT NULL,
  filter TEXT NOT NULL,
  priority INTEGER NOT NULL,
  created_at_ms BIGINT NOT NULL,

  state TEXT NOT NULL CHECK (state IN ('queued', 'assigned', 'starting', 'running', 'succeeded', 'failed',
                                       'cancelled', 'timed_out', 'lost', 'expired', 'abandoned')),
  state_at_ms BIGINT NOT NULL,
  attempt BIGINT NOT NULL CHECK (attempt >= 0),
  version BIGINT NOT NULL CHECK (version >= 0),
  -- No foreign key: a deleted runner's history stays, with the name that it had.
  runner_id TEXT,
  runner_hostname TEXT,
  started_at_ms BIGINT,
  finished_at_ms BIGINT,
  cancel_at_ms BIGINT,
  cancel_by TEXT,
  cancel_reason TEXT CHECK (cancel_reason IN ('user', 'run_limit', 'silence_limit', 'orphaned', 'fail_fast',
                                              'disk_full', 'output_limit')),
  exit_code INTEGER,
  stop_reason TEXT CHECK (stop_reason IN ('user', 'run_limit', 'silence_limit', 'orphaned', 'fail_fast',
                                          'disk_full', 'output_limit')),
  not_run_reason TEXT CHECK (not_run_reason IN ('cancelled_while_queued', 'queue_limit', 'placements_exhausted',
                                                'fail_fast')),
  lost_evidence TEXT CHECK (lost_evidence IN ('rebooted', 'instance_changed', 'spool_gone', 'wrapper_killed',
                                                      'launcher_died')),
  log_bytes BIGINT CHECK (log_bytes >= 0),
  log_cksum BIGINT CHECK (log_cksum BETWEEN 0 AND 4294967295),
  log_truncated BOOLEAN,

  -- What is known in which state.
  CONSTRAINT finished_at_belongs_to_a_final_state
    CHECK ((finished_at_ms IS NULL) = (state IN ('queued', 'assigned', 'starting', 'running'))),
  CONSTRAINT a_log_summary_belongs_to_a_final_state
    CHECK ((log_bytes IS NULL) = (finished_at_ms IS NULL) AND (log_cksum IS NULL) = (finished_at_ms IS NULL)
           AND (log_truncated IS NULL) = (finished_at_ms IS NULL)),
  CONSTRAINT a_queued_job_has_no_runner CHECK (state <> 'queued' OR runner_id IS NULL),
  CONSTRAINT a_placed_job_has_a_runner
    CHECK (state IN ('queued', 'cancelled', 'expired', 'abandoned') OR runner_id IS NOT NULL),
  CONSTRAINT a_hostname_belongs_to_a_runner CHECK (runner_hostname IS NULL OR runner_id IS NOT NULL),
  CONSTRAINT a_placed_job_has_an_attempt
    CHECK (attempt > 0 OR (runner_id IS NULL AND state IN ('queued', 'cancelled', 'expired', 'abandoned'))),
  CONSTRAINT started_at_is_known_since_running
    CHECK ((state <> 'running' OR started_at_ms IS NOT NULL)
           AND (state NOT IN ('queued', 'assigned', 'starting') OR started_at_ms IS NULL)),
  CONSTRAINT a_cancel_request_is_whole
    CHECK ((cancel_at_ms IS NULL) = (cancel_by IS NULL) AND (cancel_at_ms IS NULL) = (cancel_reason IS NULL)),
  CONSTRAINT a_queued_job_is_not_marked CHECK (state <> 'queued' OR cancel_at_ms IS NULL),

  -- How a job ended, and what must be known about it.
  CONSTRAINT an_unfinished_job_has_no_result
    CHECK (finished_at_ms IS NOT NULL OR (exit_code IS NULL AND stop_reason IS NULL AND not_run_reason IS NULL
                                          AND lost_evidence IS NULL)),
  CONSTRAINT a_job_that_never_ran_has_no_result
    CHECK (not_run_reason IS NULL OR (exit_code IS NULL AND stop_reason IS NULL AND started_at_ms IS NULL)),
  CONSTRAINT succeeded_is_exit_code_0
    CHECK (state <> 'succeeded' OR (exit_code IS NOT NULL AND exit_code = 0 AND stop_reason IS NULL)),
  CONSTRAINT failed_has_an_exit_code_or_never_ran
    CHECK (state <> 'failed' OR (exit_code IS NOT NULL AND exit_code <> 0 AND stop_reason IS NULL)
           -- Output is missing: exit code 0 proves nothing.
           OR (exit_code IS NOT NULL AND stop_reason IS NOT NULL AND stop_reason IN ('disk_full', 'output_limit'))
           OR (not_run_reason IS NOT NULL AND not_run_reason = 'placements_exhausted')),
  CONSTRAINT cancelled_was_stopped_or_never_ran
    CHECK (state <> 'cancelled' OR (exit_code IS NOT NULL AND stop_reason IS NOT NULL
                                    AND stop_reason NOT IN ('run_limit', 'silence_limit', 'disk_full', 'output_limit'))
           OR (not_run_reason IS NOT NULL AND not_run_reason IN ('cancelled_while_queued', 'fail_fast'))),
  CONSTRAINT timed_out_names_its_limit
    CHECK (state <> 'timed_out' OR (exit_code IS NOT NULL AND stop_reason IS NOT NULL
                                    AND stop_reason IN ('run_limit', 'silence_limit'))),
  CONSTRAINT lost_has_evidence CHECK ((state = 'lost') = (lost_evidence IS NOT NULL)),
  CONSTRAINT lost_and_abandoned_have_no_result
    CHECK (state NOT IN ('lost', 'abandoned') OR (exit_code IS NULL AND stop_reason IS NULL
                                                 AND not_run_reason IS NULL)),
  CONSTRAINT expired_reached_its_queue_limit
    CHECK (state <> 'expired' OR (runner_id IS NULL AND not_run_reason IS NOT NULL
                                  AND not_run_reason = 'queue_limit'))
);

-- The board's rebuild reads these in this order; finished jobs cost nothing here.
CREATE INDEX jobs_unfinished ON jobs (priority DESC, id) WHERE finished_at_ms IS NULL;
-- Pages, newest first: neither a long history nor a long queue may be read through to find the other.
CREATE INDEX jobs_unfinished_by_id ON jobs (id) WHERE finished_at_ms IS NULL;
CREATE INDEX jobs_finished_by_id ON jobs (id) WHERE finished_at_ms IS NOT NULL;
CREATE INDEX jobs_by_state ON jobs (state, id);
CREATE INDEX jobs_by_runner ON jobs (runner_id, state) WHERE runner_id IS NOT NULL;
CREATE INDEX jobs_by_phase_run ON jobs (phase_run_id, id) WHERE phase_run_id IS NOT NULL;
CREATE INDEX jobs_by_project ON jobs (project, id);

CREATE TABLE job_events (
  job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  -- The job's version after the event; the one of `submitted` is the version it was inserted with.
  version BIGINT NOT NULL CHECK (version >= 0),
  at_ms BIGINT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('submitted', 'assigned', 'unassigned', 'start_intended', 'started',
                                     'never_started', 'placements_exhausted', 'exited', 'lost_proven',
                                     'cancel_requested', 'expired', 'abandoned')),
  -- The event as JSON; NULL for `submitted`.
  body TEXT,
  PRIMARY KEY (job_id, version),
  CONSTRAINT only_submitted_has_no_body CHECK ((kind = 'submitted') = (body IS NULL))
);

CREATE TABLE tokens (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  prefix TEXT NOT NULL,
  -- Hexadecimal, lower case.
  sha256 TEXT NOT NULL UNIQUE CHECK (length(sha256) = 64),
  created_at_ms BIGINT NOT NULL,
  last_used_at_ms BIGINT,
  expires_at_ms BIGINT,
  revoked_at_ms BIGINT
);
