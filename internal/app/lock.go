package app

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/config"
)

// LockData makes this process the only server on its data folder until the
// returned lock is closed or the process ends, however it ends, and removes
// what a killed server left in the cache. Commands that run beside a server do
// not need it.
func LockData(s config.Storage) (io.Closer, error) {
	if err := os.MkdirAll(s.Data, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(s.Data, "serve.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	ok, err := lockFile(f)
	if err == nil && ok {
		err = errors.Join(writeHolder(f), os.RemoveAll(s.CacheDir()))
	}
	switch {
	case err != nil:
		f.Close()
		return nil, fmt.Errorf("lock the data folder: %w", err)
	case !ok:
		defer f.Close()
		return nil, hub.Errorf(hub.CodeConflict, "Another server%s uses the data folder %s. Stop it, or give this one a folder of its own with --data.", holder(f), s.Data)
	}
	return f, nil
}

// writeHolder notes who has the lock, for the message to those who come later.
func writeHolder(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := fmt.Fprintln(f, os.Getpid())
	return err
}

func holder(f *os.File) string {
	b, err := io.ReadAll(io.LimitReader(f, 20))
	if pid := strings.TrimSpace(string(b)); err == nil && pid != "" {
		return " (process " + pid + ")"
	}
	return ""
}
