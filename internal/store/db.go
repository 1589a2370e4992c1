package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// DB is an open database. It is safe for concurrent use.
type DB struct {
	dialect dialect
	read    *sql.DB
	write   *sql.DB
	stmts   stmtCache
	version atomic.Uint64 // grows with each write of this process
}

// Version grows with every write, before the write is acknowledged. What was
// read at a version is current while the version is the same. exact is false
// where other processes write as well and the version does not tell: PostgreSQL.
// (A SQLite data folder has one server; commands beside it touch accounts and
// tokens alone.)
func (db *DB) Version() (v uint64, exact bool) {
	return db.version.Load(), db.dialect.oneWriter
}

// Open opens "sqlite:PATH" or "postgres://…" and brings its schema up to date.
func Open(ctx context.Context, url string) (*DB, error) {
	d, err := parseDialect(url)
	if err != nil {
		return nil, err
	}
	read, write, err := d.open(url)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db := &DB{dialect: d, read: read, write: write}
	if err := db.migrate(ctx); err != nil {
		db.Close()
		return nil, fmt.Errorf("migrate database: %w", err) // as it is: the operator must see why
	}
	return db, nil
}

// Close closes the database once running queries end.
func (db *DB) Close() error {
	db.stmts.close()
	return errors.Join(db.read.Close(), db.write.Close())
}

// Check reports whether the database answers and can be written to.
func (db *DB) Check(ctx context.Context) error {
	return db.Update(ctx, func(q *Q) error {
		return q.PutSetting(ctx, "health", []byte{1})
	})
}

// Read returns queries outside of any transaction.
func (db *DB) Read() *Q { return &Q{db: db, dialect: db.dialect} }

// maxAttempts bounds how often Update runs its closure again after the
// database asked to (busy, serialization failure, deadlock).
const maxAttempts = 8

// Update runs fn in one transaction: all of its statements take effect, or
// none. fn may run again when the database asks for it.
func (db *DB) Update(ctx context.Context, fn func(*Q) error) error {
	for attempt := 1; ; attempt++ {
		err := db.updateOnce(ctx, fn)
		if err == nil || attempt == maxAttempts || !db.dialect.retryable(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(attempt*attempt) * 5 * time.Millisecond):
		}
	}
}

func (db *DB) updateOnce(ctx context.Context, fn func(*Q) error) error {
	tx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", normalize(err))
	}
	defer tx.Rollback()
	if err := fn(&Q{db: db, tx: tx, dialect: db.dialect}); err != nil {
		return err
	}
	err = tx.Commit()
	db.version.Add(1) // even after an error: the commit may have happened
	if err != nil {
		return fmt.Errorf("commit: %w", normalize(err))
	}
	return nil
}

func (db *DB) migrate(ctx context.Context) error {
	sub, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return err
	}
	files, err := db.dialect.migrations(sub)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(db.dialect.goose, db.write, files, goose.WithLogger(log.New(nopWriter{}, "", 0)))
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

type nopWriter struct{}

func (nopWriter) Write(p []byte) (int, error) { return len(p), nil }

// NewID returns a new row id: 42 bits of milliseconds, so that ids grow with
// time and index pages fill in order, then 21 random bits.
func NewID() int64 {
	var b [4]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return time.Now().UnixMilli()<<21 | int64(binary.BigEndian.Uint32(b[:])&(1<<21-1))
}

// stmtCache keeps prepared statements by text. SQLite parses a statement on
// each use otherwise, which costs more than a point read; pgx has a cache of
// its own, which this one leaves to work.
type stmtCache struct {
	mu sync.RWMutex
	m  map[string]*sql.Stmt
}

// maxStmts bounds the cache: statements built from filters have many shapes.
const maxStmts = 512

func (c *stmtCache) get(ctx context.Context, pool *sql.DB, text string) (*sql.Stmt, error) {
	c.mu.RLock()
	s := c.m[text]
	c.mu.RUnlock()
	if s != nil {
		return s, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.m[text]; s != nil {
		return s, nil
	}
	s, err := pool.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	if len(c.m) >= maxStmts {
		for text, old := range c.m { // any victim will do
			delete(c.m, text)
			old.Close() // waits for nobody: open rows keep it alive until they end
			break
		}
	}
	if c.m == nil {
		c.m = make(map[string]*sql.Stmt)
	}
	c.m[text] = s
	return s, nil
}

func (c *stmtCache) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.m {
		s.Close()
	}
	c.m = nil
}
