-- What a host did to stop a job: a table of its own, as few jobs are stopped.

CREATE TABLE job_receipts (
  job_id TEXT NOT NULL PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
  -- The attempt with which the job ended.
  attempt BIGINT NOT NULL CHECK (attempt > 0),
  -- JSON; src/domain/receipt.rs bounds its size.
  body TEXT NOT NULL
);
