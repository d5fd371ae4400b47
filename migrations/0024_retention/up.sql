-- What retention has removed of a job that is still known. The files go first: what a crash leaves is found again.
CREATE TABLE removed_parts (
  job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  part TEXT NOT NULL CHECK (part IN ('log', 'artifacts')),
  removed_at_ms BIGINT NOT NULL,
  bytes BIGINT NOT NULL CHECK (bytes >= 0),
  PRIMARY KEY (job_id, part)
);

-- The oldest end first, without reading through the history.
CREATE INDEX jobs_by_end ON jobs (finished_at_ms, id) WHERE finished_at_ms IS NOT NULL;
CREATE INDEX fan_outs_by_end ON fan_outs (finished_at_ms, id) WHERE finished_at_ms IS NOT NULL;
-- Asked for at each removal of a fan-out.
CREATE INDEX fan_outs_by_repeats ON fan_outs (repeats) WHERE repeats IS NOT NULL;
