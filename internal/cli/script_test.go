package cli

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes this test binary be the pantry command in the scripts.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"pantry": func() { os.Exit(Process()) }})
}

// TestScripts runs testdata/script, with tiny models in $MODELS. Beside the
// usual commands there are:
//
//	ready                      waits until a hub answers at $ADDR
//	ask STATUS METHOD TARGET [FILE]
//	                           sends a request with the token in $TOKEN and FILE as
//	                           its body; the answer is in stdout
//	read NAME                  sets a variable to the last command's output
func TestScripts(t *testing.T) {
	models, err := filepath.Abs("../../transformers/testdata")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("MODELS", models)
			for _, name := range []string{"ADDR", "ADDR2"} {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					return err
				}
				defer l.Close() // together, so that they differ
				env.Setenv(name, l.Addr().String())
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"ready": ready, "ask": ask, "read": read},
	})
}

func ready(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: ready")
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		status, _, err := request(ts, "GET", "/healthz", nil)
		if err == nil && status == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("no healthy hub at %s: status %d, %v", ts.Getenv("ADDR"), status, err)
		}
	}
}

func ask(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args) > 4 {
		ts.Fatalf("usage: ask STATUS METHOD TARGET [FILE]")
	}
	var body io.Reader
	if len(args) == 4 {
		body = strings.NewReader(ts.ReadFile(args[3]))
	}
	status, answer, err := request(ts, args[1], args[2], body)
	ts.Check(err)
	_, err = io.WriteString(ts.Stdout(), answer)
	ts.Check(err)
	if strconv.Itoa(status) != args[0] {
		ts.Fatalf("%s %s: status %d, want %s: %.300s", args[1], args[2], status, args[0], answer)
	}
}

func request(ts *testscript.TestScript, method, target string, body io.Reader) (status int, answer string, err error) {
	req, err := http.NewRequestWithContext(context.Background(), method, "http://"+ts.Getenv("ADDR")+target, body)
	if err != nil {
		return 0, "", err
	}
	if token := ts.Getenv("TOKEN"); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

func read(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: read NAME")
	}
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}
