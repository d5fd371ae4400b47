-- Jump hosts, through which runners are reached: src/dispatch/jump_hosts.

CREATE TABLE jump_hosts (
  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),
  name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 100),
  -- JSON, as that of a runner; its way may lead through another jump host.
  endpoint TEXT NOT NULL,
  openssh_public_key TEXT NOT NULL,
  -- base64; the associated data is the row's id: src/dispatch/jump_hosts.
  sealed_private_key TEXT NOT NULL CHECK (length(sealed_private_key) > 0),
  -- JSON; NULL while it is not in quarantine.
  quarantine TEXT,
  created_at_ms BIGINT NOT NULL,
  updated_at_ms BIGINT NOT NULL,
  version BIGINT NOT NULL CHECK (version >= 1)
);

-- The jump host through which the dispatcher dials back; NULL: directly.
ALTER TABLE enrolment_tokens ADD COLUMN jump TEXT CHECK (length(jump) BETWEEN 1 AND 100);
