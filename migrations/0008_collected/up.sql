-- What was fetched from an ended attempt; both are written in the transaction of the job's end.

CREATE TABLE job_collected (
  job_id TEXT NOT NULL PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
  attempt BIGINT NOT NULL CHECK (attempt > 0),
  -- JSON object of strings: what the job wrote into $SHUNT_OUTPUT.
  outputs TEXT NOT NULL,
  -- Why there are none although it wrote some; what of the files was not kept.
  outputs_fault TEXT,
  artifacts_fault TEXT
);

CREATE TABLE job_artifacts (
  job_id TEXT NOT NULL REFERENCES job_collected (job_id) ON DELETE CASCADE,
  -- Relative to the work directory.
  path TEXT NOT NULL CHECK (length(path) BETWEEN 1 AND 2048),
  size BIGINT NOT NULL CHECK (size >= 0),
  -- SHA-256 of the content, which is a file of the blob store by this name.
  digest TEXT NOT NULL CHECK (length(digest) = 64),
  executable BOOLEAN NOT NULL,
  PRIMARY KEY (job_id, path)
);
