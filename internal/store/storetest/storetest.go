// Package storetest opens empty databases for tests: SQLite in a temporary
// folder always, PostgreSQL as well when PANTRY_TEST_POSTGRES names a server
// (script/with-services sets it; in CI it must be set).
package storetest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/pantryhub/pantry/internal/store"
)

// Run runs test once per engine, each time on an empty database.
func Run(t *testing.T, test func(t *testing.T, db *store.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, Postgres(t)) })
}

// SQLite opens an empty SQLite database that is removed after the test.
func SQLite(t testing.TB) *store.DB {
	t.Helper()
	return open(t, "sqlite:"+filepath.Join(t.TempDir(), "pantry.db"))
}

// Postgres opens an empty PostgreSQL database that is dropped after the test.
// Without a server the test is skipped, in CI it fails.
func Postgres(t testing.TB) *store.DB {
	t.Helper()
	return open(t, PostgresURL(t))
}

// PostgresURL creates an empty database, dropped after the test, and returns
// its URL.
func PostgresURL(t testing.TB) string {
	t.Helper()
	server := os.Getenv("PANTRY_TEST_POSTGRES")
	if server == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("PANTRY_TEST_POSTGRES is not set: run the tests through script/with-services")
		}
		t.Skip("PANTRY_TEST_POSTGRES is not set (script/with-services starts a server)")
	}
	var b [6]byte
	rand.Read(b[:])
	name := "pantry_test_" + hex.EncodeToString(b[:])
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Exec("CREATE DATABASE " + name); err != nil {
		t.Fatalf("create test database: %v", err)
	}
	t.Cleanup(func() {
		if _, err := admin.Exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Errorf("drop test database: %v", err)
		}
		admin.Close()
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

func open(t testing.TB, url string) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}
