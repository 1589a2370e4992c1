package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const benchUser = "bench"

// pantry is a hub on a folder of its own, with an account that may write.
type pantry struct {
	*process
	*hub
	data    string
	address string
	startup time.Duration // from the start of the process to its first answer
}

// startPantry starts a hub on the folder data, which is made if absent.
func startPantry(ctx context.Context, s *settings, data string) (*pantry, error) {
	address, err := freePort()
	if err != nil {
		return nil, err
	}
	url := "http://" + address
	cmd := exec.Command(s.Pantry, "serve", "--data", data, "--listen", address, "--public-url", url)
	if s.Verbose {
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	} else {
		log, err := os.Create(data + ".log")
		if err != nil {
			return nil, err
		}
		defer log.Close()
		cmd.Stdout, cmd.Stderr = log, log
	}
	begun := time.Now()
	proc, err := launch(cmd)
	if err != nil {
		return nil, fmt.Errorf("start pantry: %w", err)
	}
	p := &pantry{process: proc, data: data, address: address}
	if err := proc.waitFor(ctx, url+"/healthz"); err != nil {
		proc.stop()
		return nil, err
	}
	p.startup = time.Since(begun)
	p.hub = newHub(url, "")
	return p, nil
}

// startHub starts a hub on an empty folder, with an account and its token, and
// returns it with what ends it and removes its data.
func startHub(ctx context.Context, s *settings) (*pantry, func(), error) {
	dir, remove, err := s.folder("hub")
	if err != nil {
		return nil, nil, err
	}
	p, err := startPantry(ctx, s, filepath.Join(dir, "data"))
	if err != nil {
		remove()
		return nil, nil, err
	}
	end := func() {
		p.stop()
		remove()
	}
	if p.token, err = p.account(ctx, s); err != nil {
		end()
		return nil, nil, err
	}
	return p, end, nil
}

// account makes the account through the command line and returns its token.
func (p *pantry) account(ctx context.Context, s *settings) (string, error) {
	command := func(stdin string, args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, s.Pantry, args...)
		cmd.Env = append(os.Environ(), "PANTRY_DATA="+p.data)
		cmd.Stdin = strings.NewReader(stdin)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return "", fmt.Errorf("pantry %s: %w", strings.Join(args, " "), err)
		}
		return strings.TrimSpace(string(out)), nil
	}
	if _, err := command("correct horse battery staple\n", "user", "create", benchUser, "--admin", "--password-stdin"); err != nil {
		return "", err
	}
	return command("", "token", "create", "--user", benchUser, "--name", "bench", "--role", "write")
}

// storedBytes is the size of all objects in the bucket.
func (p *pantry) storedBytes() (int64, error) { return folderSize(filepath.Join(p.data, "bucket")) }
