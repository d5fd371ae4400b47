-- What requests with an Idempotency-Key have made, written in the transaction that made it, and kept for 24 hours.
CREATE TABLE request_keys (
  caller TEXT NOT NULL,
  key TEXT NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
  -- Of method, address and body, under a key that is not in the database: a body may hold a password.
  digest TEXT NOT NULL CHECK (length(digest) = 64),
  -- src/store/request_keys.rs, MadeKind; and which one of its kind.
  made_kind TEXT NOT NULL,
  made_id TEXT NOT NULL,
  at_ms BIGINT NOT NULL,
  PRIMARY KEY (caller, key)
);

CREATE INDEX request_keys_by_age ON request_keys (at_ms);
