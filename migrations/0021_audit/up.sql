-- What people and machines did: rows are only added. Each holds the hash of the one before it, so that a row that was
-- changed or removed in the middle shows.
CREATE TABLE audit (
  -- Counts from 1 without a gap.
  seq BIGINT PRIMARY KEY NOT NULL CHECK (seq > 0),
  at_ms BIGINT NOT NULL,
  -- The user, or what the token of a machine is called.
  actor TEXT NOT NULL,
  token_id TEXT,
  address TEXT,
  request_id TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  -- JSON; what did not change is left out of both.
  before TEXT,
  after TEXT,
  -- 64 hexadecimal digits; of the first row's predecessor, all zero.
  previous TEXT NOT NULL CHECK (length(previous) = 64),
  hash TEXT NOT NULL CHECK (length(hash) = 64)
);
CREATE INDEX audit_of_subject ON audit (subject, seq);
CREATE INDEX audit_of_actor ON audit (actor, seq);
