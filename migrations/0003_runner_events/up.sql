-- What people decided about runners.

CREATE TABLE runner_events (
  -- No foreign key: the history of a deleted runner stays, with the name that it had.
  runner_id TEXT NOT NULL CHECK (length(runner_id) = 36),
  -- The runner's version after the event.
  version BIGINT NOT NULL CHECK (version >= 0),
  hostname TEXT NOT NULL,
  at_ms BIGINT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('host_key_accepted')),
  -- The event as JSON.
  body TEXT NOT NULL,
  PRIMARY KEY (runner_id, version)
);

CREATE INDEX runner_events_by_hostname ON runner_events (hostname, at_ms);
