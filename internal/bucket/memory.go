package bucket

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// Memory keeps objects in memory: for tests and throw-away hubs.
type Memory struct {
	mu      sync.RWMutex
	objects map[string]memoryEntry
}

type memoryEntry struct {
	data    []byte // never changed
	modTime time.Time
}

// NewMemory makes an empty bucket.
func NewMemory() *Memory {
	return &Memory{objects: make(map[string]memoryEntry)}
}

// Put implements Bucket.
func (m *Memory) Put(ctx context.Context, key string, r io.Reader, size int64) (bool, error) {
	if err := cmp.Or(CheckKey(key), ctx.Err()); err != nil {
		return false, err
	}
	if _, ok := m.entry(key); ok {
		return false, nil
	}
	src, err := newSource(ctx, r, size)
	if err != nil {
		return false, fmt.Errorf("bucket: put %s: %w", key, err)
	}
	var buf bytes.Buffer
	if _, err := buf.ReadFrom(src); err != nil {
		return false, fmt.Errorf("bucket: put %s: %w", key, err)
	}

	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.objects[key]; ok {
		return false, nil
	}
	m.objects[key] = memoryEntry{data: bytes.Clone(buf.Bytes()), modTime: time.Now()}
	return true, nil
}

// Open implements Bucket.
func (m *Memory) Open(ctx context.Context, key string) (Object, error) {
	if err := cmp.Or(CheckKey(key), ctx.Err()); err != nil {
		return nil, err
	}
	e, ok := m.entry(key)
	if !ok {
		return nil, fmt.Errorf("bucket: open %s: %w", key, ErrNotExist)
	}
	return memoryObject{bytes.NewReader(e.data)}, nil
}

// Stat implements Bucket.
func (m *Memory) Stat(ctx context.Context, key string) (Info, error) {
	if err := cmp.Or(CheckKey(key), ctx.Err()); err != nil {
		return Info{}, err
	}
	e, ok := m.entry(key)
	if !ok {
		return Info{}, fmt.Errorf("bucket: stat %s: %w", key, ErrNotExist)
	}
	return e.info(key), nil
}

// Delete implements Bucket.
func (m *Memory) Delete(ctx context.Context, key string) error {
	if err := cmp.Or(CheckKey(key), ctx.Err()); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, key)
	return nil
}

// List implements Bucket.
func (m *Memory) List(ctx context.Context, prefix, after string, limit int) ([]Info, error) {
	if err := cmp.Or(checkPrefix(prefix), ctx.Err()); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	var found []Info
	for key, e := range m.objects {
		if strings.HasPrefix(key, prefix) && key > after {
			found = append(found, e.info(key))
		}
	}
	slices.SortFunc(found, func(a, b Info) int { return strings.Compare(a.Key, b.Key) })
	return slices.Clip(found[:min(len(found), max(limit, 0))]), nil
}

// Presign implements Bucket: memory has no address.
func (m *Memory) Presign(_ context.Context, key string, _ time.Duration) (string, error) {
	return "", CheckKey(key)
}

// Check implements Bucket.
func (m *Memory) Check(ctx context.Context) error { return ctx.Err() }

func (m *Memory) entry(key string) (memoryEntry, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	e, ok := m.objects[key]
	return e, ok
}

func (e memoryEntry) info(key string) Info {
	return Info{Key: key, Size: int64(len(e.data)), ModTime: e.modTime}
}

type memoryObject struct{ *bytes.Reader }

func (memoryObject) Close() error   { return nil }
func (memoryObject) File() *os.File { return nil }
