package cli

import (
	"bytes"
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
