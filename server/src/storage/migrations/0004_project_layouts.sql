-- Layouts that REST defines for the whole project. A definition is the JSON object that was sent.

CREATE TABLE layouts (
    name TEXT NOT NULL PRIMARY KEY,
    definition TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
