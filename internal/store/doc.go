// Package store keeps everything small and transactional in a SQL database:
// accounts, repositories, refs, git objects, and where large files are. SQLite
// is embedded; PostgreSQL serves several replicas. It runs queries and nothing
// else: no permission, no git, no HTTP.
//
// # One SQL text
//
// Statements are written once for both dialects ($1 placeholders, ON CONFLICT,
// RETURNING). Ids come from NewID and times are Unix microseconds, both BIGINT;
// booleans are BOOLEAN, enumerations and JSON are TEXT, bytes are BLOB (BYTEA
// in PostgreSQL: the one word that migrations translate). What differs sits in
// dialect.go.
//
// # Transactions
//
// Read returns queries that run one by one on a pool of readers. Update runs a
// closure in one transaction, on SQLite's only writer connection or at READ
// COMMITTED in PostgreSQL. A closure may run more than once, so it must have no
// effect outside the transaction. Races are settled by conditions in the
// statements (a ref moves only from the id that the caller saw), never by
// reading first.
//
// Errors are normalised in one place: ErrNotFound, ErrConflict,
// hub.ErrNoSpace, or the driver's error with the query's name.
package store
