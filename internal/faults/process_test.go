package faults

import (
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

	"github.com/pantryhub/pantry/internal/cli"
)

// asPantry makes this test binary be the pantry command, so that tests have a
// process to kill that holds exactly the code under test.
const asPantry = "PANTRY_TEST_AS_PANTRY"

func TestMain(m *testing.M) {
	if os.Getenv(asPantry) != "" {
		os.Exit(cli.Process())
	}
	os.Exit(m.Run())
}

func pantry(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asPantry+"=1")
	return cmd
}

// process is a pantry server in a process of its own, on a fixed port.
type process struct {
	t     *testing.T
	addr  string
	store []string // flags that say where state is
	log   *os.File
	cmd   *exec.Cmd
}

func newProcess(t *testing.T, store ...string) *process {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, addr: l.Addr().String(), store: store, log: log}
	t.Cleanup(func() {
		if p.cmd != nil {
			p.kill()
		}
		log.Close()
		if t.Failed() {
			t.Logf("server log:\n%s", tail(log.Name()))
		}
	})
	return p
}

func tail(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-4096):])
}

func (p *process) url() string { return "http://" + p.addr }

// start starts the server and waits until it is healthy.
func (p *process) start() {
	p.t.Helper()
	p.cmd = pantry(append([]string{"serve", "--listen", p.addr, "--log-level", "warn"}, p.store...)...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; {
		res, err := http.Get(p.url() + "/healthz")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("the server is not healthy after 20 s: %v", err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// kill ends the server without a warning, as kill -9 does.
func (p *process) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
	p.cmd = nil
}

// interrupt asks the server to end and waits for it.
func (p *process) interrupt() error {
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		return err
	}
	err := p.cmd.Wait()
	p.cmd = nil
	return err
}

// command runs pantry beside the server and returns what it prints.
func (p *process) command(args ...string) (string, error) {
	cmd := pantry(append(args, p.store...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("pantry %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// user makes a user and returns a write token.
func (p *process) user(name string) string {
	p.t.Helper()
	if _, err := p.command("user", "create", name); err != nil {
		p.t.Fatal(err)
	}
	token, err := p.command("token", "create", "--user", name, "--name", "test", "--role", "write")
	if err != nil {
		p.t.Fatal(err)
	}
	return token
}
