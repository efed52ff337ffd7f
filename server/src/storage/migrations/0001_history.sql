-- What happened in rooms. Only types that SQLite and PostgreSQL share; times are milliseconds since 1970; booleans
-- are 0 and 1. No foreign keys between these tables: under pressure rows may be missing, and the rest stays true.

CREATE TABLE room_sessions (
    id TEXT NOT NULL PRIMARY KEY,
    project TEXT NOT NULL,
    room_id TEXT NOT NULL,
    name TEXT NOT NULL,
    display_name TEXT NOT NULL,
    -- The room's settings when the session began: a JSON object.
    settings TEXT NOT NULL,
    layout TEXT NOT NULL,
    locked BIGINT NOT NULL,
    prioritize_handraise BIGINT NOT NULL,
    start_time BIGINT NOT NULL,
    -- NULL while it is in progress.
    end_time BIGINT,
    updated_at BIGINT NOT NULL
);
CREATE INDEX room_sessions_by_time ON room_sessions (project, start_time, id);
CREATE INDEX room_sessions_by_room ON room_sessions (project, room_id, start_time, id);
CREATE INDEX room_sessions_by_name ON room_sessions (project, name, start_time, id);
CREATE INDEX room_sessions_in_progress ON room_sessions (project, start_time, id) WHERE end_time IS NULL;
CREATE INDEX room_sessions_by_end ON room_sessions (end_time, id);

-- One row per stay: a member that is demoted and promoted again has two.
CREATE TABLE room_session_members (
    room_session_id TEXT NOT NULL,
    -- Number of the event by which the stay began.
    stay BIGINT NOT NULL,
    member_id TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    join_time BIGINT NOT NULL,
    leave_time BIGINT,
    PRIMARY KEY (room_session_id, stay)
);

CREATE TABLE room_session_events (
    room_session_id TEXT NOT NULL,
    -- Its place in the room session's one order.
    number BIGINT NOT NULL,
    name TEXT NOT NULL,
    level TEXT NOT NULL,
    member_id TEXT,
    payload TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (room_session_id, number)
);

-- One row: when the server was last known to run. After a crash, what it cut off ended then.
CREATE TABLE heartbeat (
    id BIGINT NOT NULL PRIMARY KEY,
    last_seen BIGINT NOT NULL
);
