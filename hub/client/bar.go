package client

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Bar shows how downloads go: one line that is drawn again and again on a
// terminal, a line for each complete file elsewhere. Close ends it.
type Bar struct {
	out      io.Writer
	terminal bool
	now      func() time.Time

	mu          sync.Mutex
	files, done int
	bytes, have int64
	recent      []sample // for the speed, oldest first
	drawn       time.Time
	width       int // of the line on the screen
}

// sample is how many bytes there were at a time.
type sample struct {
	at   time.Time
	have int64
}

const (
	sampleEvery = time.Second
	maxSamples  = 8 // the speed is that of the last seconds
)

// redraw is how often the line changes at most.
const redraw = 100 * time.Millisecond

// NewBar makes a bar on out, which is a terminal or is not.
func NewBar(out io.Writer, terminal bool) *Bar {
	return &Bar{out: out, terminal: terminal, now: time.Now}
}

// Begin implements Progress.
func (b *Bar) Begin(files int, bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.files += files
	b.bytes += bytes
	b.draw(true)
}

// Advance implements Progress.
func (b *Bar) Advance(_ string, n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.have += n
	b.draw(false)
}

// Finish implements Progress.
func (b *Bar) Finish(path string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done++
	if !b.terminal {
		fmt.Fprintf(b.out, "%d/%d %s\n", b.done, b.files, path)
		return
	}
	b.draw(b.done == b.files)
}

// Close leaves the last state of the line on the screen.
func (b *Bar) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.terminal && b.width > 0 {
		b.draw(true)
		fmt.Fprintln(b.out)
		b.width = 0
	}
}

func (b *Bar) draw(now bool) {
	at := b.now()
	if !b.terminal || !now && at.Sub(b.drawn) < redraw {
		return
	}
	b.drawn = at
	if n := len(b.recent); n == 0 || at.Sub(b.recent[n-1].at) >= sampleEvery {
		b.recent = append(b.recent[max(0, n+1-maxSamples):], sample{at, b.have})
	}
	line := b.line(at)
	fmt.Fprintf(b.out, "\r%-*s", b.width, line)
	b.width = len(line)
}

// line is "3/5 files  1.2/4.4 GB  27 %  98 MB/s  33s left".
func (b *Bar) line(at time.Time) string {
	line := fmt.Sprintf("%d/%d files  %s/%s", b.done, b.files, Bytes(b.have), Bytes(b.bytes))
	if b.bytes > 0 {
		line += fmt.Sprintf("  %d %%", 100*b.have/b.bytes)
	}
	oldest := b.recent[0]
	elapsed, came := at.Sub(oldest.at), b.have-oldest.have
	if elapsed < sampleEvery || came <= 0 {
		return line
	}
	speed := float64(came) / elapsed.Seconds()
	line += "  " + Bytes(int64(speed)) + "/s"
	const long = 100 * 3600 // seconds
	if left := float64(b.bytes-b.have) / speed; left > 0 && left < long {
		line += fmt.Sprintf("  %s left", time.Duration(left)*time.Second)
	}
	return line
}

// Bytes is a size for people: decimal units, as hubs show them.
func Bytes(n int64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n)/1000, 0
	for v >= 999.5 && i < len(units)-1 {
		v, i = v/1000, i+1
	}
	if v < 9.95 {
		return fmt.Sprintf("%.1f %cB", v, units[i])
	}
	return fmt.Sprintf("%.0f %cB", v, units[i])
}
