-- Who is told of events, and what is on its way to them: src/store/outbox.rs, src/dispatch/webhooks/.

CREATE TABLE webhooks (
  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),
  name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 100),
  url TEXT NOT NULL CHECK (length(url) BETWEEN 1 AND 2048),
  -- JSON array of words.
  events TEXT NOT NULL,
  -- Jobs of this organisation and project only, runners of this organisation only; NULL: any.
  org TEXT CHECK (length(org) BETWEEN 1 AND 100),
  project TEXT CHECK (length(project) BETWEEN 1 AND 100),
  enabled BOOLEAN NOT NULL,
  -- Sealed with the row's id, in base64.
  sealed_secret TEXT NOT NULL,
  created_at_ms BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  -- Deliveries that were given up because too many waited.
  dropped BIGINT NOT NULL CHECK (dropped >= 0)
);

CREATE TABLE webhook_deliveries (
  -- Later ones sort behind earlier ones.
  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),
  -- No foreign key: another dispatcher may delete the webhook while an event is written, which must not fail of that.
  webhook_id TEXT NOT NULL CHECK (length(webhook_id) = 36),
  event TEXT NOT NULL CHECK (length(event) BETWEEN 1 AND 60),
  -- What is sent, as it is sent.
  body TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
  attempts BIGINT NOT NULL CHECK (attempts >= 0),
  created_at_ms BIGINT NOT NULL,
  -- While it is being sent: when others may take it for lost.
  next_try_at_ms BIGINT NOT NULL,
  -- No try begins later.
  until_ms BIGINT NOT NULL,
  last_at_ms BIGINT,
  last_status BIGINT CHECK (last_status BETWEEN 100 AND 999),
  last_error TEXT,
  CONSTRAINT what_was_delivered_was_tried CHECK (state <> 'delivered' OR attempts > 0)
);

CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, state, next_try_at_ms, id);
CREATE INDEX webhook_deliveries_by_age ON webhook_deliveries (webhook_id, id);
