package faults

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
)

// sabotage makes statements of a hub's database fail, through triggers that
// look into a table which another connection fills.
type sabotage struct {
	t  *testing.T
	db *sql.DB
}

// change is a kind of statement that a hub's request executes.
type change struct {
	Table string
	Op    string // INSERT, UPDATE or DELETE
}

// moment is when a change fails.
type moment string

const (
	atStatement moment = "statement"
	atCommit    moment = "commit" // everything went well until then
)

// newSabotage puts its triggers on every table of the database at url.
func newSabotage(t *testing.T, url string) *sabotage {
	t.Helper()
	s := &sabotage{t: t}
	var err error
	path, isSQLite := strings.CutPrefix(url, "sqlite:")
	if isSQLite {
		s.db, err = sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(15000)")
	} else {
		s.db, err = sql.Open("pgx", url)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.db.Close() })
	s.exec(`CREATE TABLE fault_plan (tbl TEXT, op TEXT, moment TEXT)`)
	s.exec(`CREATE TABLE fault_log (tbl TEXT, op TEXT)`)
	list, prepare, statements := postgresTables, postgresPrepare, postgresTriggers
	if isSQLite {
		list, prepare, statements = sqliteTables, sqlitePrepare, sqliteTriggers
	}
	for _, text := range prepare {
		s.exec(text)
	}
	for _, table := range s.tables(list) {
		for _, op := range []string{"INSERT", "UPDATE", "DELETE"} {
			for _, text := range statements {
				s.exec(strings.NewReplacer("{table}", table, "{op}", op).Replace(text))
			}
		}
	}
	return s
}

const (
	sqliteTables = `SELECT name FROM sqlite_master WHERE type = 'table'
		AND name NOT LIKE 'fault%' AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'goose%'`
	postgresTables = `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'
		AND table_name NOT LIKE 'fault%' AND table_name NOT LIKE 'goose%'`
)

var sqlitePrepare = []string{
	// A broken reference that is looked at when the transaction commits.
	`CREATE TABLE fault_nothing (id INTEGER PRIMARY KEY)`,
	`CREATE TABLE fault_commit (id INTEGER REFERENCES fault_nothing (id) DEFERRABLE INITIALLY DEFERRED)`,
}

var sqliteTriggers = []string{
	`CREATE TRIGGER fault_{table}_{op} BEFORE {op} ON {table}
	WHEN EXISTS (SELECT 1 FROM fault_plan WHERE tbl = '{table}' AND op = '{op}' AND moment = 'statement')
	BEGIN SELECT RAISE(ABORT, 'injected fault'); END`,
	`CREATE TRIGGER fault_{table}_{op}_commit AFTER {op} ON {table}
	WHEN EXISTS (SELECT 1 FROM fault_plan WHERE tbl = '{table}' AND op = '{op}' AND moment = 'commit')
	BEGIN INSERT INTO fault_commit VALUES (1); END`,
	`CREATE TRIGGER fault_{table}_{op}_log AFTER {op} ON {table}
	WHEN NOT EXISTS (SELECT 1 FROM fault_log WHERE tbl = '{table}' AND op = '{op}')
	BEGIN INSERT INTO fault_log VALUES ('{table}', '{op}'); END`,
}

var postgresPrepare = []string{
	`CREATE FUNCTION fault_strike() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF EXISTS (SELECT 1 FROM fault_plan WHERE tbl = TG_TABLE_NAME AND op = TG_OP AND moment = TG_ARGV[0]) THEN
			RAISE EXCEPTION 'injected fault';
		END IF;
		RETURN COALESCE(NEW, OLD);
	END $$`,
	`CREATE FUNCTION fault_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		INSERT INTO fault_log VALUES (TG_TABLE_NAME, TG_OP);
		RETURN NULL;
	END $$`,
}

var postgresTriggers = []string{
	`CREATE TRIGGER fault_{table}_{op} BEFORE {op} ON {table} FOR EACH ROW EXECUTE FUNCTION fault_strike('statement')`,
	`CREATE CONSTRAINT TRIGGER fault_{table}_{op}_commit AFTER {op} ON {table}
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fault_strike('commit')`,
	`CREATE TRIGGER fault_{table}_{op}_log AFTER {op} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION fault_note()`,
}

func (s *sabotage) exec(text string, args ...any) {
	s.t.Helper()
	if _, err := s.db.ExecContext(context.Background(), text, args...); err != nil {
		s.t.Fatalf("%s: %v", text, err)
	}
}

func (s *sabotage) tables(query string) []string {
	s.t.Helper()
	rows, err := s.db.Query(query)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			s.t.Fatal(err)
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil || len(names) < 10 {
		s.t.Fatalf("%d tables, %v", len(names), err)
	}
	return names
}

// changes returns what committed transactions have changed since forget.
func (s *sabotage) changes() []change {
	s.t.Helper()
	rows, err := s.db.Query(`SELECT DISTINCT tbl, op FROM fault_log ORDER BY tbl, op`)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	var list []change
	for rows.Next() {
		var c change
		if err := rows.Scan(&c.Table, &c.Op); err != nil {
			s.t.Fatal(err)
		}
		list = append(list, c)
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}
	return list
}

func (s *sabotage) forget() { s.exec(`DELETE FROM fault_log`) }

// fail makes a change fail from now on.
func (s *sabotage) fail(c change, m moment) {
	s.exec(`INSERT INTO fault_plan VALUES ($1, $2, $3)`, c.Table, c.Op, string(m))
}

func (s *sabotage) heal() { s.exec(`DELETE FROM fault_plan`) }

func (c change) String() string { return fmt.Sprintf("%s %s", c.Op, c.Table) }
