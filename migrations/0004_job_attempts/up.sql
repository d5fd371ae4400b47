-- Who a host was when a start was intended on it, and what proved the loss of the attempt: a row a placement.

CREATE TABLE job_attempts (
  job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  attempt BIGINT NOT NULL CHECK (attempt > 0),
  -- No foreign key: a deleted runner's history stays, with the name that it had.
  runner_id TEXT NOT NULL CHECK (length(runner_id) = 36),
  runner_hostname TEXT,
  intended_at_ms BIGINT NOT NULL,
  -- As the host said at the connection of then; NULL: it had not said it.
  boot_id TEXT,
  instance_id TEXT,
  lost_evidence TEXT CHECK (lost_evidence IN ('rebooted', 'instance_changed', 'spool_gone', 'wrapper_killed',
                                              'launcher_died')),
  lost_at_ms BIGINT,
  -- As the host said when the loss was proved; NULL: it was not asked, or could not say it.
  boot_id_now TEXT,
  instance_id_now TEXT,
  PRIMARY KEY (job_id, attempt),
  CONSTRAINT a_loss_has_evidence_and_time CHECK ((lost_evidence IS NULL) = (lost_at_ms IS NULL)),
  CONSTRAINT only_a_loss_has_a_now
    CHECK (lost_evidence IS NOT NULL OR (boot_id_now IS NULL AND instance_id_now IS NULL))
);

-- One more kind of event. SQLite cannot change a CHECK: the table is made again.
CREATE TABLE job_events_again (
  job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  -- The job's version after the event; the one of `submitted` is the version it was inserted with.
  version BIGINT NOT NULL CHECK (version >= 0),
  at_ms BIGINT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('submitted', 'assigned', 'unassigned', 'start_intended', 'started',
                                     'never_started', 'placements_exhausted', 'exited', 'lost_proven',
                                     'requeued_after_loss', 'cancel_requested', 'expired', 'abandoned')),
  -- The event as JSON; NULL for `submitted`.
  body TEXT,
  PRIMARY KEY (job_id, version),
  CONSTRAINT only_submitted_has_no_body CHECK ((kind = 'submitted') = (body IS NULL))
);
INSERT INTO job_events_again (job_id, version, at_ms, kind, body) SELECT job_id, version, at_ms, kind, body FROM job_events;
DROP TABLE job_events;
ALTER TABLE job_events_again RENAME TO job_events;
