-- What REST stores: rooms, conferences with their tokens, streams. A body is a JSON object of all that can change and
-- that nobody searches by; times are milliseconds since 1970.

CREATE TABLE rooms (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE conferences (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE conference_tokens (
    id TEXT NOT NULL PRIMARY KEY,
    conference_id TEXT NOT NULL,
    role TEXT NOT NULL,
    secret TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);

CREATE TABLE streams (
    id TEXT NOT NULL PRIMARY KEY,
    -- A room or a conference.
    owner_id TEXT NOT NULL,
    url TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
