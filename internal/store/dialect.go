package store

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"runtime"
	"strings"
	"testing/fstest"

	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // the "pgx" driver
	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/pantryhub/pantry/hub"
)

// dialect is what differs between the two engines.
type dialect struct {
	name       string
	goose      goose.Dialect
	blobType   string // what BLOB is called
	cacheStmts bool
	oneWriter  bool // one process writes what DB.Version covers
	open       func(url string) (read, write *sql.DB, err error)
}

var (
	sqliteDialect = dialect{
		name: "sqlite", goose: goose.DialectSQLite3, blobType: "BLOB", cacheStmts: true, oneWriter: true, open: openSQLite,
	}
	postgresDialect = dialect{
		name: "postgres", goose: goose.DialectPostgres, blobType: "BYTEA", open: openPostgres,
	}
)

func parseDialect(url string) (dialect, error) {
	switch {
	case strings.HasPrefix(url, "sqlite:"):
		return sqliteDialect, nil
	case strings.HasPrefix(url, "postgres://"), strings.HasPrefix(url, "postgresql://"):
		return postgresDialect, nil
	}
	return dialect{}, fmt.Errorf("database %q: want sqlite:PATH or postgres://…", redact(url))
}

// redact removes the password of a database URL, for messages.
func redact(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return "(malformed URL)"
	}
	return u.Redacted()
}

// openSQLite opens one writer and a pool of readers. synchronous(FULL) makes a
// commit durable before it is acknowledged.
func openSQLite(rawURL string) (read, write *sql.DB, err error) {
	path := strings.TrimPrefix(rawURL, "sqlite:")
	dsn := func(extra ...string) string {
		v := url.Values{"_pragma": {
			"busy_timeout(15000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
			"cache_size(-8000)", "temp_store(MEMORY)",
		}}
		v["_pragma"] = append(v["_pragma"], extra...)
		return "file:" + (&url.URL{Path: path}).EscapedPath() + "?_txlock=immediate&" + v.Encode()
	}
	write, err = sql.Open("sqlite", dsn())
	if err != nil {
		return nil, nil, err
	}
	write.SetMaxOpenConns(1)
	write.SetConnMaxLifetime(0)
	read, err = sql.Open("sqlite", dsn("query_only(1)"))
	if err != nil {
		write.Close()
		return nil, nil, err
	}
	n := max(4, runtime.GOMAXPROCS(0))
	read.SetMaxOpenConns(n)
	read.SetMaxIdleConns(n)
	return read, write, nil
}

// openPostgres opens two pools, so that a transaction which waits for a
// query on another connection can never wait for another transaction.
func openPostgres(rawURL string) (read, write *sql.DB, err error) {
	read, err = sql.Open("pgx", rawURL)
	if err != nil {
		return nil, nil, err
	}
	read.SetMaxOpenConns(24)
	read.SetMaxIdleConns(16)
	write, err = sql.Open("pgx", rawURL)
	if err != nil {
		read.Close()
		return nil, nil, err
	}
	write.SetMaxOpenConns(16)
	write.SetMaxIdleConns(8)
	return read, write, nil
}

// migrations returns the migration files in this dialect's words.
func (d dialect) migrations(src fs.FS) (fs.FS, error) {
	out := fstest.MapFS{}
	err := fs.WalkDir(src, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := fs.ReadFile(src, path)
		if err != nil {
			return err
		}
		text = bytes.ReplaceAll(text, []byte(" BLOB"), []byte(" "+d.blobType))
		out[path] = &fstest.MapFile{Data: text}
		return nil
	})
	return out, err
}

// text is a statement with this dialect's parameters. SQLite takes $1 as the
// name of a parameter, and searches the names of a statement one by one, which
// makes long VALUES lists quadratic; ?1 is a number. No statement of this
// package holds a dollar sign for anything else.
func (d dialect) text(s string) string {
	if d.name == "sqlite" {
		return strings.ReplaceAll(s, "$", "?")
	}
	return s
}

// forUpdate is the clause that locks the selected rows until the transaction
// ends. SQLite has one writer, so it needs none.
func (d dialect) forUpdate() string {
	if d.name == "postgres" {
		return " FOR UPDATE"
	}
	return ""
}

// retryable reports whether the database asked to run the transaction again.
func (d dialect) retryable(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "40001" || pg.Code == "40P01" // serialization failure, deadlock
	}
	var lite *sqlite.Error
	return errors.As(err, &lite) && lite.Code()&0xff == sqlite3.SQLITE_BUSY
}

// normalize turns driver errors into this package's and the hub's.
func normalize(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		switch {
		case lite.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE, lite.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
			return fmt.Errorf("%w: %w", ErrConflict, err)
		case lite.Code() == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
			return fmt.Errorf("%w: %w", ErrNotFound, err) // what the row belongs to was deleted
		case lite.Code()&0xff == sqlite3.SQLITE_FULL:
			return &hub.Error{Code: hub.CodeNoSpace, Message: hub.ErrNoSpace.Message, Err: err}
		case lite.Code()&0xff == sqlite3.SQLITE_BUSY:
			return unavailable(err)
		}
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code {
		case "23505":
			return fmt.Errorf("%w: %w", ErrConflict, err)
		case "23503": // foreign key: what the row belongs to was deleted
			return fmt.Errorf("%w: %w", ErrNotFound, err)
		case "22021": // only PostgreSQL refuses NUL and invalid UTF-8 in text
			return &hub.Error{Code: hub.CodeInvalid, Message: "Text must be valid UTF-8 without NUL.", Err: err}
		case "53100":
			return &hub.Error{Code: hub.CodeNoSpace, Message: hub.ErrNoSpace.Message, Err: err}
		}
	}
	if disconnected(err) {
		return unavailable(err)
	}
	return err
}

// unavailable tells clients to try again.
func unavailable(err error) error {
	return &hub.Error{Code: hub.CodeUnavailable, Message: hub.ErrUnavailable.Message, Err: err}
}

// disconnected reports whether PostgreSQL cannot be reached, or has ended the
// connection: it restarts, or another server takes over.
func disconnected(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code {
		case "57P01", "57P02", "57P03", "53300": // shut down, crashed, starting up, too many connections
			return true
		}
		return strings.HasPrefix(pg.Code, "08")
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, io.ErrUnexpectedEOF) || pgconn.SafeToRetry(err)
}
