-- Messages that must leave this server. They are written in the same transaction as the event they tell of, and go
-- when they are delivered. In a lane (one endpoint, one room session) they leave in the order of their ids.

CREATE TABLE outbox (
    id BIGINT NOT NULL PRIMARY KEY,
    -- The same in every attempt, so that receivers can tell a repetition.
    message_id TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    room_session_id TEXT NOT NULL,
    event TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- Failed so far.
    attempts BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    last_error TEXT,
    -- 1: given up; kept to be looked at, no longer in its lane's way.
    dead BIGINT NOT NULL
);
CREATE INDEX outbox_by_order ON outbox (dead, id);
CREATE INDEX outbox_lane ON outbox (endpoint, room_session_id, dead, id);
