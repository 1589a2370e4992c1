-- +goose Up

-- Xorbs whose bytes are in the bucket under object_key. Each upload has a key
-- of its own, so that an object is named by at most one row for all time and
-- collecting one can never race with storing it again. A xorb that no Xet shard
-- has described yet has shard_id 0. touched_at moves whenever a client shows
-- interest: what it has seen must outlive its session.
CREATE TABLE cas_xorb (
	hash       BLOB PRIMARY KEY,
	object_key TEXT NOT NULL,
	size       BIGINT NOT NULL, -- of the records, as stored
	raw_size   BIGINT NOT NULL,
	shard_id   BIGINT NOT NULL,
	shard_seq  BIGINT NOT NULL, -- position in the shard
	created_at BIGINT NOT NULL,
	touched_at BIGINT NOT NULL
);
CREATE INDEX cas_xorb_by_shard ON cas_xorb (shard_id, shard_seq);
CREATE INDEX cas_xorb_by_touched ON cas_xorb (touched_at);

-- Where the chunks of a xorb are (package xet, Index).
CREATE TABLE cas_xorb_index (
	hash BLOB PRIMARY KEY REFERENCES cas_xorb (hash) ON DELETE CASCADE,
	data BLOB NOT NULL
);

-- Files: how their bytes are put together from chunks (package cas, terms).
CREATE TABLE cas_file (
	hash       BLOB PRIMARY KEY,
	size       BIGINT NOT NULL,
	terms      BLOB NOT NULL,
	created_at BIGINT NOT NULL,
	touched_at BIGINT NOT NULL
);
CREATE INDEX cas_file_by_touched ON cas_file (touched_at);

-- What content a file has. A row means that the bytes were hashed here. One
-- content may have several files, since clients differ in how they cut chunks.
CREATE TABLE cas_content (
	sha256     BLOB NOT NULL,
	file       BLOB NOT NULL REFERENCES cas_file (hash) ON DELETE CASCADE,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (sha256, file)
);
CREATE UNIQUE INDEX cas_content_by_file ON cas_content (file);

-- The global dedup index: chunks by which a client recognises content that is
-- here already, and a xorb that holds them.
CREATE TABLE cas_chunk (
	hash BLOB PRIMARY KEY,
	xorb BLOB NOT NULL REFERENCES cas_xorb (hash) ON DELETE CASCADE
);
CREATE INDEX cas_chunk_by_xorb ON cas_chunk (xorb);

-- +goose Down
DROP TABLE cas_chunk;
DROP TABLE cas_content;
DROP TABLE cas_file;
DROP TABLE cas_xorb_index;
DROP TABLE cas_xorb;
