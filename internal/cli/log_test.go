package cli

import (
	"bytes"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pantryhub/pantry/internal/config"
)

// writes notes what is written by each call.
type writes struct {
	mu    sync.Mutex
	calls []string
}

func (w *writes) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, string(p))
	return len(p), nil
}

func (w *writes) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	calls := w.calls
	w.calls = nil
	return calls
}

func TestLogIsWrittenTogether(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		synctest.Test(t, func(t *testing.T) {
			var out writes
			log, flush := newLogger(config.Config{LogLevel: "info", LogFormat: format}, &out)
			log.Debug("hidden")
			log.Info("one")
			log.With("k", "v").WithGroup("g").Info("two", "n", 2)
			if got := out.take(); got != nil {
				t.Errorf("%s: written at once: %q", format, got)
			}
			time.Sleep(logDelay)
			synctest.Wait()
			got := out.take()
			if len(got) != 1 || strings.Count(got[0], "\n") != 2 || strings.Index(got[0], "one") > strings.Index(got[0], "two") || strings.Contains(got[0], "hidden") {
				t.Errorf("%s: after %v: %q, want both lines by one call", format, logDelay, got)
			}

			log.Info("three")
			log.With("k", "v").WithGroup("g").Warn("four")
			if got := out.take(); len(got) != 1 || strings.Count(got[0], "\n") != 2 || !strings.Contains(got[0], "four") {
				t.Errorf("%s: with a warning: %q, want both lines", format, got)
			}

			log.Info("five")
			if err := flush(); err != nil {
				t.Fatal(err)
			}
			if got := out.take(); len(got) != 1 || !strings.Contains(got[0], "five") {
				t.Errorf("%s: at the end: %q, want a line", format, got)
			}
			time.Sleep(2 * logDelay)
			synctest.Wait()
			if got := out.take(); got != nil {
				t.Errorf("%s: after the end: %q", format, got)
			}
		})
	}
}

// TestLogKeepsItsOrder writes more than fits, with a line that never does.
func TestLogKeepsItsOrder(t *testing.T) {
	var out writes
	b := newLineBuffer(&out)
	var want bytes.Buffer
	for i, size := range []int{10, logBytes - 20, 30, logBytes + 1, 40, logBytes, 50} {
		line := append(bytes.Repeat([]byte{byte('a' + i)}, size-1), '\n')
		want.Write(line)
		if n, err := b.Write(line); n != size || err != nil {
			t.Fatalf("write %d bytes: %d, %v", size, n, err)
		}
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(out.take(), ""); got != want.String() {
		t.Errorf("%d bytes came out, want the %d that went in, in order", len(got), want.Len())
	}
}

// FuzzPlainText: a plain line is what slog.TextHandler makes of the record.
func FuzzPlainText(f *testing.F) {
	f.Add("request", "path", "/ada/model/resolve/main/a%20b.bin", "", int64(206), int64(1_234_567), int64(1_800_000_000_123_456_789))
	f.Add("two words", "k", `back\slash`, "ada", int64(-1), int64(0), int64(0))
	f.Add("m", "a key", "a=b", "\"quoted\"", int64(0), int64(-5), int64(-1))
	f.Add("é", "", "\x7f", "\xff", int64(0), int64(1e18), int64(1e15))
	p := new(plainText)
	f.Fuzz(func(t *testing.T, message, key, one, two string, n, d, nanoseconds int64) {
		r := slog.NewRecord(time.Unix(0, nanoseconds), slog.LevelInfo, message, 0)
		r.AddAttrs(slog.String(key, one), slog.Int64("n", n), slog.Duration("dur", time.Duration(d)), slog.String("two", two))
		got, ok := p.append(nil, r)
		if !ok {
			return
		}
		var want bytes.Buffer
		if err := slog.NewTextHandler(&want, nil).Handle(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if string(got) != want.String() {
			t.Errorf("got  %q\nwant %q", got, want.String())
		}
	})
}

// TestLogIsPlain: a line of the access log is, and one that is not comes out all
// the same.
func TestLogIsPlain(t *testing.T) {
	var out writes
	log, flush := newLogger(config.Config{LogLevel: "info", LogFormat: "text"}, &out)
	var reference bytes.Buffer
	want := slog.New(slog.NewTextHandler(&reference, nil))
	p := new(plainText)
	for _, path := range []string{"/ada/model/resolve/main/model.bin", "/ada/model/resolve/main/a b"} {
		r := slog.NewRecord(time.Now(), slog.LevelInfo, "request", 0)
		r.AddAttrs(slog.String("req", "0123"), slog.String("actor", ""), slog.String("path", path), slog.Int("status", 206),
			slog.Int64("bytes", 1<<16), slog.Duration("dur", 123*time.Microsecond))
		if _, ok := p.append(nil, r); ok != !strings.Contains(path, " ") {
			t.Errorf("%s: plain %v", path, ok)
		}
		for _, h := range []slog.Handler{log.Handler(), want.Handler()} {
			if err := h.Handle(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := flush(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(out.take(), ""); got != reference.String() {
		t.Errorf("got  %q\nwant %q", got, reference.String())
	}
}

// BenchmarkAccessLine writes a line of the access log.
func BenchmarkAccessLine(b *testing.B) {
	for _, tt := range []struct{ name, format, path string }{
		{"plain", "text", "/ada/model/resolve/main/model.bin"},
		{"quoted", "text", "/ada/model/resolve/main/model=1.bin"},
		{"json", "json", "/ada/model/resolve/main/model.bin"},
	} {
		b.Run(tt.name, func(b *testing.B) {
			log, _ := newLogger(config.Config{LogLevel: "info", LogFormat: tt.format}, io.Discard)
			b.ReportAllocs()
			for b.Loop() {
				r := slog.NewRecord(time.Now(), slog.LevelInfo, "request", 0)
				r.AddAttrs(slog.String("req", "0123456789abcdef01234567"), slog.String("actor", ""), slog.String("method", "GET"),
					slog.String("path", tt.path), slog.Int("status", 206),
					slog.Int64("bytes", 1<<16), slog.Duration("dur", 123*time.Microsecond))
				if err := log.Handler().Handle(b.Context(), r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
