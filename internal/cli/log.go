package cli

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/pantryhub/pantry/internal/config"
)

// newLogger makes the hub's logger. To a file or a pipe, lines that only inform
// are written together, at most logDelay late: the access log has one line per
// request, and a system call for each of them is a tenth of what a small request
// costs. Warnings and errors are written at once, with what came before them.
// The caller flushes at the end.
func newLogger(c config.Config, w io.Writer) (log *slog.Logger, flush func() error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	opts := &slog.HandlerOptions{Level: level}
	format := func(w io.Writer) slog.Handler {
		if c.LogFormat == "json" {
			return slog.NewJSONHandler(w, opts)
		}
		return slog.NewTextHandler(w, opts)
	}
	if isTerminal(w) {
		return slog.New(format(w)), func() error { return nil }
	}
	lines := newLineBuffer(w)
	return slog.New(promptHandler{format(lines), lines}), lines.Flush
}

const (
	logDelay = 200 * time.Millisecond // from a line to its being written
	logBytes = 32 << 10               // held until then
)

// lineBuffer is a writer that gathers lines. It has no goroutine while nothing
// is written.
type lineBuffer struct {
	mu    sync.Mutex
	out   io.Writer
	held  []byte
	timer *time.Timer // runs while something is held
}

func newLineBuffer(out io.Writer) *lineBuffer {
	b := &lineBuffer{out: out, held: make([]byte, 0, logBytes)}
	b.timer = time.AfterFunc(logDelay, func() { _ = b.Flush() }) // there is no place to report that the log cannot be written
	return b
}

// Write implements io.Writer. p is one line, or several.
func (b *lineBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.held)+len(p) > cap(b.held) {
		if err := b.flush(); err != nil {
			return 0, err
		}
	}
	if len(p) > cap(b.held) {
		return b.out.Write(p)
	}
	if len(b.held) == 0 {
		b.timer.Reset(logDelay)
	}
	b.held = append(b.held, p...)
	return len(p), nil
}

// Flush writes what is held.
func (b *lineBuffer) Flush() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.flush()
}

// flush is Flush with b.mu held. Lines that cannot be written are lost, as they
// would be without a buffer.
func (b *lineBuffer) flush() error {
	if len(b.held) == 0 {
		return nil
	}
	_, err := b.out.Write(b.held)
	b.held = b.held[:0]
	return err
}

// promptHandler is a handler that writes to lines. It does not let a warning
// wait there.
type promptHandler struct {
	slog.Handler
	lines *lineBuffer
}

// Handle implements slog.Handler.
func (h promptHandler) Handle(ctx context.Context, r slog.Record) error {
	err := h.Handler.Handle(ctx, r)
	if r.Level >= slog.LevelWarn {
		err = errors.Join(err, h.lines.Flush())
	}
	return err
}

// WithAttrs implements slog.Handler.
func (h promptHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return promptHandler{h.Handler.WithAttrs(attrs), h.lines}
}

// WithGroup implements slog.Handler.
func (h promptHandler) WithGroup(name string) slog.Handler {
	return promptHandler{h.Handler.WithGroup(name), h.lines}
}
