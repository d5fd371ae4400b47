-- Why a runner is in its state, and every change of it by hand.

-- As JSON: since when, by whom, why. NULL: nobody has changed it.
ALTER TABLE runners ADD COLUMN state_note TEXT;

-- More kinds of events. SQLite cannot change a CHECK: the table is made again, with the list of kinds left to the program.
CREATE TABLE runner_events_again (
  -- No foreign key: the history of a deleted runner stays, with the name that it had.
  runner_id TEXT NOT NULL CHECK (length(runner_id) = 36),
  -- The runner's version after the event.
  version BIGINT NOT NULL CHECK (version >= 0),
  hostname TEXT NOT NULL,
  at_ms BIGINT NOT NULL,
  kind TEXT NOT NULL CHECK (length(kind) BETWEEN 1 AND 60),
  -- The event as JSON.
  body TEXT NOT NULL,
  PRIMARY KEY (runner_id, version)
);
INSERT INTO runner_events_again (runner_id, version, hostname, at_ms, kind, body)
  SELECT runner_id, version, hostname, at_ms, kind, body FROM runner_events;
DROP TABLE runner_events;
ALTER TABLE runner_events_again RENAME TO runner_events;
CREATE INDEX runner_events_by_hostname ON runner_events (hostname, at_ms);
