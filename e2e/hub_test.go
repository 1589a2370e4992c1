package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A hub is one running pantry with its accounts. Its JSON form is what the
// suites read (the --hub option of pytest, HUB_FILE for node).
type hub struct {
	URL   string             `json:"url"`
	Data  string             `json:"data"`
	Users map[string]account `json:"users"`

	flags []string
	log   *os.File
}

// An account is a person with a token of each role.
type account struct {
	Name     string `json:"name"`
	Password string `json:"password"`
	Token    string `json:"token"`      // write
	Read     string `json:"read_token"` // read
}

// startHub is serve with three accounts; carol is an administrator.
func startHub(t *testing.T, flags ...string) *hub {
	t.Helper()
	h := serve(t, flags...)
	h.addUser(t, "carol", "--admin")
	h.addUser(t, "alice")
	h.addUser(t, "bob")
	return h
}

// serve starts a hub on an empty folder and a free port, and stops it after
// the test. flags choose the database and the bucket.
func serve(t *testing.T, flags ...string) *hub {
	t.Helper()
	addr := freeAddr(t)
	h := &hub{URL: "http://" + addr, Data: t.TempDir(), Users: map[string]account{}, flags: flags}
	var err error
	if h.log, err = os.Create(filepath.Join(t.TempDir(), "pantry.log")); err != nil {
		t.Fatal(err)
	}
	// Parts begin at a size that a test can afford.
	cmd := exec.Command(binary, h.args("serve", "--listen", addr, "--public-url", h.URL,
		"--lfs-multipart-above", "10000000", "--lfs-part-size", "6000000")...)
	cmd.Stdout, cmd.Stderr = h.log, h.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() { h.stop(t, cmd, exited) })
	h.waitReady(t, exited)
	return h
}

// args are the command line of a subcommand against this hub's stores.
func (h *hub) args(command string, rest ...string) []string {
	args := append(strings.Fields(command), "--data", h.Data)
	return append(append(args, h.flags...), rest...)
}

func (h *hub) waitReady(t *testing.T, exited <-chan error) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case err := <-exited:
			t.Fatalf("pantry serve ended early: %v\n%s", err, h.logTail())
		case <-deadline:
			t.Fatalf("pantry serve is not ready after 20 s\n%s", h.logTail())
		case <-time.After(20 * time.Millisecond):
		}
		resp, err := http.Get(h.URL + "/healthz")
		if err != nil {
			continue
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return
		}
	}
}

// stop asks the server to end, and fails the test if it does not, or if a
// handler panicked meanwhile.
func (h *hub) stop(t *testing.T, cmd *exec.Cmd, exited <-chan error) {
	cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-exited:
		if err != nil {
			t.Errorf("pantry serve: %v", err)
		}
	case <-time.After(20 * time.Second):
		cmd.Process.Kill()
		t.Error("pantry serve did not stop within 20 s of SIGTERM")
	}
	h.log.Close()
	if out, _ := os.ReadFile(h.log.Name()); bytes.Contains(out, []byte("panic")) {
		t.Errorf("the server's log mentions a panic:\n%s", h.logTail())
	} else if t.Failed() {
		t.Logf("server log:\n%s", h.logTail())
	}
}

func (h *hub) logTail() string {
	out, _ := os.ReadFile(h.log.Name())
	const limit = 8192
	if len(out) > limit {
		out = out[len(out)-limit:]
	}
	return string(out)
}

func (h *hub) addUser(t *testing.T, name string, flags ...string) {
	t.Helper()
	a := account{Name: name, Password: name + "-correct-horse-battery"}
	h.command(t, a.Password+"\n", append(h.args("user create", "--password-stdin", name), flags...)...)
	a.Token = h.command(t, "", h.args("token create", "--user", name, "--name", name+"-write", "--role", "write")...)
	a.Read = h.command(t, "", h.args("token create", "--user", name, "--name", name+"-read", "--role", "read")...)
	for _, token := range []string{a.Token, a.Read} {
		if !strings.HasPrefix(token, "hf_") || strings.ContainsAny(token, " \n") {
			t.Fatalf("token create printed %q, want just an hf_ token", token)
		}
	}
	h.Users[name] = a
}

// command runs pantry beside the server and returns what it prints.
func (h *hub) command(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("pantry %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(stdout.String())
}

// describe writes the hub's JSON form for the suites and returns its path.
func (h *hub) describe(t *testing.T) string {
	t.Helper()
	b, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "hub.json")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// freeAddr finds a loopback port that nobody listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return fmt.Sprintf("127.0.0.1:%d", l.Addr().(*net.TCPAddr).Port)
}
