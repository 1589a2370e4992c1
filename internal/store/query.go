package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"
)

// Q runs typed queries, inside a transaction (Update) or outside (Read).
type Q struct {
	db      *DB
	tx      *sql.Tx // nil outside a transaction
	dialect dialect
}

func (q *Q) rows(ctx context.Context, text string, args []any) (*sql.Rows, error) {
	text = q.dialect.text(text)
	switch {
	case q.tx != nil:
		return q.tx.QueryContext(ctx, text, args...)
	case !q.dialect.cacheStmts:
		return q.db.read.QueryContext(ctx, text, args...)
	}
	s, err := q.db.stmts.get(ctx, q.db.read, text)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

// exec runs a statement and returns how many rows it changed.
func (q *Q) exec(ctx context.Context, name, text string, args ...any) (int64, error) {
	run := q.db.write.ExecContext
	if q.tx != nil {
		run = q.tx.ExecContext
	} else {
		defer q.db.version.Add(1)
	}
	res, err := run(ctx, q.dialect.text(text), args...)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, normalize(err))
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, normalize(err))
	}
	return n, nil
}

// scanner reads one row into a T.
type scanner[T any] func(scan func(...any) error) (T, error)

// one returns the only row of a query, or ErrNotFound.
func one[T any](ctx context.Context, q *Q, name string, read scanner[T], text string, args ...any) (T, error) {
	var zero T
	for v, err := range each(ctx, q, name, read, text, args...) {
		return v, err
	}
	return zero, fmt.Errorf("%s: %w", name, ErrNotFound)
}

// all returns every row of a query.
func all[T any](ctx context.Context, q *Q, name string, read scanner[T], text string, args ...any) ([]T, error) {
	var out []T
	for v, err := range each(ctx, q, name, read, text, args...) {
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// each streams the rows of a query.
func each[T any](ctx context.Context, q *Q, name string, read scanner[T], text string, args ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		rows, err := q.rows(ctx, text, args)
		if err != nil {
			yield(zero, fmt.Errorf("%s: %w", name, normalize(err)))
			return
		}
		defer rows.Close()
		for rows.Next() {
			v, err := read(rows.Scan)
			if err != nil {
				yield(zero, fmt.Errorf("%s: scan: %w", name, err))
				return
			}
			if !yield(v, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(zero, fmt.Errorf("%s: %w", name, normalize(err)))
		}
	}
}

// value reads a row of one column.
func value[T any](scan func(...any) error) (T, error) {
	var v T
	err := scan(&v)
	return v, err
}

// placeholders returns "$first,$first+1,…" for n arguments.
func placeholders(first, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(first + i))
	}
	return b.String()
}

// batch is how many values one IN list or multi-row INSERT carries, well under
// the parameter limits of both engines.
const batch = 500

// micros is a time as the database keeps it; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// fromMicros is the reverse of micros.
func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// copyHash copies a stored hash, checking its width.
func copyHash(dst, src []byte, column string) error {
	if len(src) != len(dst) {
		return fmt.Errorf("column %s holds %d bytes, want %d", column, len(src), len(dst))
	}
	copy(dst, src)
	return nil
}

// Errors of this package. Services turn them into the hub's errors, since only
// they know what was looked for.
var (
	ErrNotFound = errors.New("store: not found")
	ErrConflict = errors.New("store: already exists")
)
