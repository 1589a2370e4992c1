-- +goose Up

-- A user or an organization. The keys are lower-case, for look-ups without
-- regard to case. password_hash is an argon2id PHC string; '' means that no
-- password opens the account.
CREATE TABLE account (
	id            BIGINT PRIMARY KEY,
	name          TEXT NOT NULL,
	name_key      TEXT NOT NULL,
	kind          TEXT NOT NULL CHECK (kind IN ('user', 'org')),
	full_name     TEXT NOT NULL,
	email         TEXT NOT NULL,
	email_key     TEXT NOT NULL,
	password_hash TEXT NOT NULL,
	admin         BOOLEAN NOT NULL,
	created_at    BIGINT NOT NULL
);
CREATE UNIQUE INDEX account_by_name ON account (name_key);
CREATE UNIQUE INDEX account_by_email ON account (email_key) WHERE email_key <> '';

CREATE TABLE membership (
	account_id BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
	org_id     BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
	role       TEXT NOT NULL CHECK (role IN ('read', 'contributor', 'write', 'admin')),
	PRIMARY KEY (account_id, org_id)
);
CREATE INDEX membership_by_org ON membership (org_id);

-- Access tokens by the SHA-256 of their text. An OAuth grant is a chain of
-- tokens with one grant_id: each refresh adds one and retires the refresh
-- token of the one before, which stays to recognise a stolen copy.
CREATE TABLE access_token (
	id                 BIGINT PRIMARY KEY,
	grant_id           BIGINT NOT NULL,
	account_id         BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
	kind               TEXT NOT NULL CHECK (kind IN ('personal', 'oauth')),
	name               TEXT NOT NULL,
	role               TEXT NOT NULL CHECK (role IN ('read', 'write')),
	hash               BLOB NOT NULL,
	hint               TEXT NOT NULL,
	created_at         BIGINT NOT NULL,
	last_used_at       BIGINT NOT NULL,
	expires_at         BIGINT NOT NULL, -- 0: never
	client_id          TEXT NOT NULL,
	scope              TEXT NOT NULL,
	refresh_hash       BLOB,
	refresh_expires_at BIGINT NOT NULL,
	refresh_used_at    BIGINT NOT NULL
);
CREATE UNIQUE INDEX access_token_by_hash ON access_token (hash);
CREATE UNIQUE INDEX access_token_by_refresh ON access_token (refresh_hash);
CREATE INDEX access_token_by_account ON access_token (account_id, created_at);
CREATE INDEX access_token_by_grant ON access_token (grant_id);

-- Browser sessions by the SHA-256 of the cookie.
CREATE TABLE session (
	hash         BLOB PRIMARY KEY,
	account_id   BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
	created_at   BIGINT NOT NULL,
	expires_at   BIGINT NOT NULL,
	last_seen_at BIGINT NOT NULL,
	user_agent   TEXT NOT NULL
);
CREATE INDEX session_by_account ON session (account_id);
CREATE INDEX session_by_expiry ON session (expires_at);

-- Logins by the device flow (RFC 8628) that wait for their user.
CREATE TABLE device_grant (
	device_hash  BLOB PRIMARY KEY,
	user_code    TEXT NOT NULL,
	client_id    TEXT NOT NULL,
	scope        TEXT NOT NULL,
	state        TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'denied', 'used')),
	account_id   BIGINT NOT NULL, -- 0 until approved or denied
	created_at   BIGINT NOT NULL,
	expires_at   BIGINT NOT NULL,
	poll_every   BIGINT NOT NULL, -- microseconds
	last_poll_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX device_grant_by_user_code ON device_grant (user_code);
CREATE INDEX device_grant_by_expiry ON device_grant (expires_at);

-- Links that work once.
CREATE TABLE one_time (
	hash       BLOB PRIMARY KEY,
	purpose    TEXT NOT NULL,
	account_id BIGINT NOT NULL, -- 0 for the first administrator
	expires_at BIGINT NOT NULL,
	used_at    BIGINT NOT NULL
);

-- +goose Down
DROP TABLE one_time;
DROP TABLE device_grant;
DROP TABLE session;
DROP TABLE access_token;
DROP TABLE membership;
DROP TABLE account;
