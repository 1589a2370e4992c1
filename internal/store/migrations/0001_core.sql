-- +goose Up

-- Secrets and marks of this hub, shared by its replicas.
CREATE TABLE setting (
	name  TEXT PRIMARY KEY,
	value BLOB NOT NULL
);

-- A repository. key is the lower-case id. The columns below "catalog" are
-- derived from the files at head and rewritten with each commit to it.
CREATE TABLE repo (
	id             BIGINT PRIMARY KEY,
	kind           TEXT NOT NULL CHECK (kind IN ('model', 'dataset', 'space', 'kernel')),
	namespace      TEXT NOT NULL,
	name           TEXT NOT NULL,
	key            TEXT NOT NULL,
	owner_id       BIGINT NOT NULL,
	visibility     TEXT NOT NULL CHECK (visibility IN ('public', 'private', 'protected')),
	gated          TEXT NOT NULL CHECK (gated IN ('', 'auto', 'manual')),
	disabled       BOOLEAN NOT NULL,
	discussions    BOOLEAN NOT NULL,
	default_branch TEXT NOT NULL,
	created_at     BIGINT NOT NULL,
	updated_at     BIGINT NOT NULL,
	-- counters
	likes          BIGINT NOT NULL,
	downloads      BIGINT NOT NULL,
	downloads_all  BIGINT NOT NULL,
	used_storage   BIGINT NOT NULL,
	-- catalog
	pipeline_tag   TEXT NOT NULL,
	library_name   TEXT NOT NULL,
	sdk            TEXT NOT NULL,
	parameters     BIGINT NOT NULL,
	main_size      BIGINT NOT NULL,
	labels         TEXT NOT NULL, -- JSON array
	derived        TEXT NOT NULL  -- JSON object: what only details show
);
CREATE UNIQUE INDEX repo_by_key ON repo (kind, key);
CREATE INDEX repo_by_owner ON repo (owner_id, kind, updated_at, id);
CREATE INDEX repo_by_owner_created ON repo (owner_id, kind, created_at, id);
-- The key is in it so that a search reads rows only where the name matches.
CREATE INDEX repo_by_created ON repo (kind, created_at, id, key);
CREATE INDEX repo_by_updated ON repo (kind, updated_at, id);
CREATE INDEX repo_by_downloads ON repo (kind, downloads, id);
CREATE INDEX repo_by_likes ON repo (kind, likes, id);
CREATE INDEX repo_by_parameters ON repo (kind, parameters, id);
CREATE INDEX repo_by_main_size ON repo (kind, main_size, id);

-- Labels by name, for filters.
CREATE TABLE repo_label (
	label   TEXT NOT NULL,
	kind    TEXT NOT NULL,
	repo_id BIGINT NOT NULL REFERENCES repo (id) ON DELETE CASCADE,
	PRIMARY KEY (label, kind, repo_id)
);
CREATE INDEX repo_label_by_repo ON repo_label (repo_id);

-- Where a moved repository went.
CREATE TABLE repo_redirect (
	kind    TEXT NOT NULL,
	key     TEXT NOT NULL,
	repo_id BIGINT NOT NULL REFERENCES repo (id) ON DELETE CASCADE,
	PRIMARY KEY (kind, key)
);
CREATE INDEX repo_redirect_by_repo ON repo_redirect (repo_id);

-- Refs by full name. tag is the annotated tag object that peels to target.
CREATE TABLE ref (
	repo_id BIGINT NOT NULL REFERENCES repo (id) ON DELETE CASCADE,
	name    TEXT NOT NULL,
	target  BLOB NOT NULL,
	tag     BLOB,
	PRIMARY KEY (repo_id, name)
);

-- Git objects. data is the zlib stream that a pack entry carries; it is NULL
-- for a blob over the inline limit, whose bytes are the CAS file xet.
CREATE TABLE git_object (
	repo_id BIGINT NOT NULL REFERENCES repo (id) ON DELETE CASCADE,
	oid     BLOB NOT NULL,
	kind    TEXT NOT NULL CHECK (kind IN ('commit', 'tree', 'blob', 'tag')),
	size    BIGINT NOT NULL,
	xet     BLOB,
	data    BLOB,
	PRIMARY KEY (repo_id, oid)
);

-- What a listing needs of each entry of a tree and git does not keep: sizes
-- and where large files are (internal/git, tree metadata). In tree order.
CREATE TABLE tree_meta (
	repo_id BIGINT NOT NULL REFERENCES repo (id) ON DELETE CASCADE,
	oid     BLOB NOT NULL,
	data    BLOB NOT NULL,
	PRIMARY KEY (repo_id, oid)
);

-- The large files that a repository may read and commit.
CREATE TABLE repo_file (
	repo_id    BIGINT NOT NULL REFERENCES repo (id) ON DELETE CASCADE,
	sha256     BLOB NOT NULL,
	xet        BLOB NOT NULL,
	size       BIGINT NOT NULL,
	account_id BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	path       TEXT NOT NULL DEFAULT '', -- where it was first committed, '' before
	PRIMARY KEY (repo_id, sha256)
);
CREATE INDEX repo_file_by_xet ON repo_file (repo_id, xet);

-- +goose Down
DROP TABLE repo_file;
DROP TABLE tree_meta;
DROP TABLE git_object;
DROP TABLE ref;
DROP TABLE repo_redirect;
DROP TABLE repo_label;
DROP TABLE repo;
DROP TABLE setting;
