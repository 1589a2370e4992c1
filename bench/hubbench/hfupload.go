package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

type hfuploadCommand struct{}

// hfRun is what one run of the stock client took.
type hfRun struct{ wall, client, server time.Duration }

// Run measures "hf upload" of one large file by Xet, and whose CPU it takes.
func (c *hfuploadCommand) Run(ctx context.Context, s *settings) error {
	r := newReport("hfupload", fmt.Sprintf("hf upload of %s by Xet", s.Size))
	r.text("The stock `hf upload` to an empty hub. The client is what limits the upload if it uses more CPU than the server and most of what the two cores have. Target: limited by the client, not by the server.")
	var rows [][]any
	for _, kind := range []dataKind{random, weights} {
		file, err := s.data(kind, int64(s.Size))
		if err != nil {
			return err
		}
		var runs []hfRun
		err = s.rounds(ctx, func(ctx context.Context) error {
			run, err := c.once(ctx, s, file)
			runs = append(runs, run)
			return err
		})
		if err != nil {
			return err
		}
		client := medianOf(runs, func(r hfRun) float64 { return r.client.Seconds() })
		server := medianOf(runs, func(r hfRun) float64 { return r.server.Seconds() })
		wall := medianOf(runs, func(r hfRun) float64 { return r.wall.Seconds() })
		rows = append(rows, []any{kind, wall, float64(file.size) / 1e6 / wall, client, server, client / server, verdict(client > server)})
	}
	r.table([]string{"content", "wall s", "MB/s", "client CPU s", "server CPU s", "client/server", "client-bound"}, rows)
	return r.write(s)
}

func (c *hfuploadCommand) once(ctx context.Context, s *settings, file dataFile) (hfRun, error) {
	p, end, err := startHub(ctx, s)
	if err != nil {
		return hfRun{}, err
	}
	defer end()
	before, err := p.cpu()
	if err != nil {
		return hfRun{}, err
	}
	wall, client, err := p.hfUpload(ctx, s, "large", file.path, "model.bin")
	if err != nil {
		return hfRun{}, err
	}
	after, err := p.cpu()
	if err != nil {
		return hfRun{}, err
	}
	return hfRun{wall, client, after - before}, p.verify(ctx, p.url+"/"+benchUser+"/large/resolve/main/model.bin", file.sha256)
}

// hfUpload runs the stock client on one file, with a home of its own, and
// returns its time and CPU time. Both include starting Python.
func (p *pantry) hfUpload(ctx context.Context, s *settings, repo, file, path string) (wall, cpu time.Duration, err error) {
	home, remove, err := s.folder("hf-home")
	if err != nil {
		return 0, 0, err
	}
	defer remove()
	python, err := exec.LookPath(s.Python)
	if err != nil {
		return 0, 0, fmt.Errorf("no Python: %w", err)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(filepath.Dir(python), "hf"), "upload", benchUser+"/"+repo, file, path)
	cmd.Env = append(os.Environ(), "HF_ENDPOINT="+p.url, "HF_TOKEN="+p.token, "HF_HOME="+home, "HF_HUB_DISABLE_PROGRESS_BARS=1")
	var out []byte
	wall, err = timed(func() (err error) {
		out, err = cmd.CombinedOutput()
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("hf upload: %w\n%s", err, out)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0, 0, fmt.Errorf("hf upload: no CPU time to be had")
	}
	return wall, rusageCPU(usage), nil
}
