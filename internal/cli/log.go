package cli

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strconv"
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
	return slog.New(promptHandler{format(lines), lines, c.LogFormat != "json"}), lines.Flush
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

	plain plainText
	line  []byte // scratch
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
	return b.write(p)
}

// writePlain writes the line of a record, if that is plain.
func (b *lineBuffer) writePlain(r slog.Record) (done bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.line, done = b.plain.append(b.line[:0], r)
	if done {
		_, err = b.write(b.line)
	}
	return done, err
}

// write is Write with b.mu held.
func (b *lineBuffer) write(p []byte) (int, error) {
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
	plain bool // the handler is a TextHandler without attributes of its own
}

// Handle implements slog.Handler.
func (h promptHandler) Handle(ctx context.Context, r slog.Record) error {
	if h.plain && r.Level == slog.LevelInfo {
		if done, err := h.lines.writePlain(r); done {
			return err
		}
	}
	err := h.Handler.Handle(ctx, r)
	if r.Level >= slog.LevelWarn {
		err = errors.Join(err, h.lines.Flush())
	}
	return err
}

// WithAttrs implements slog.Handler.
func (h promptHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return promptHandler{h.Handler.WithAttrs(attrs), h.lines, false}
}

// WithGroup implements slog.Handler.
func (h promptHandler) WithGroup(name string) slog.Handler {
	return promptHandler{h.Handler.WithGroup(name), h.lines, false}
}

// plainText writes lines of a slog.TextHandler in half of its time: those of
// level INFO in which nothing must be quoted, as most lines of the access log
// are. It remembers the time to the second.
type plainText struct {
	second     int64
	date, zone []byte
}

// append appends the line of a record. It reports false for one that is not
// plain, with nothing of use appended.
func (p *plainText) append(b []byte, r slog.Record) (line []byte, ok bool) {
	if r.Time.Location() != time.Local || !isPlain(r.Message) {
		return b, false
	}
	if unix := r.Time.Unix(); p.date == nil || p.second != unix {
		p.second = unix
		p.date = r.Time.AppendFormat(p.date[:0], "time=2006-01-02T15:04:05")
		p.zone = r.Time.AppendFormat(p.zone[:0], "Z07:00 level=INFO msg=")
	}
	ms := r.Time.Nanosecond() / int(time.Millisecond)
	b = append(append(b, p.date...), '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
	b = append(append(b, p.zone...), r.Message...)
	ok = true
	r.Attrs(func(a slog.Attr) bool {
		ok = isPlain(a.Key)
		b = append(append(append(b, ' '), a.Key...), '=')
		switch a.Value.Kind() {
		case slog.KindString:
			text := a.Value.String()
			if text == "" {
				text = `""`
			} else if !isPlain(text) {
				ok = false
			}
			b = append(b, text...)
		case slog.KindInt64:
			b = strconv.AppendInt(b, a.Value.Int64(), 10)
		case slog.KindDuration:
			b = append(b, a.Value.Duration().String()...)
		default:
			ok = false
		}
		return ok
	})
	return append(b, '\n'), ok
}

// isPlain reports whether a text is written as it is.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '"' || c == '=' {
			return false
		}
	}
	return s != ""
}
