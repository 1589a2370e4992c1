package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// report is the markdown fragment of one subcommand.
type report struct {
	name string
	once bool // it has no rounds
	body strings.Builder
}

func newReport(name, title string) *report {
	r := &report{name: name}
	fmt.Fprintf(&r.body, "## %s\n", title)
	return r
}

// text adds a paragraph.
func (r *report) text(format string, args ...any) {
	fmt.Fprintf(&r.body, format+"\n\n", args...)
}

// table adds a table of rows whose cells print with %v, floats with sense.
func (r *report) table(header []string, rows [][]any) {
	line := func(cells []string) { r.body.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(header)
	rule := make([]string, len(header))
	for i := range rule {
		rule[i] = "---"
	}
	line(rule)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = formatCell(cell)
		}
		line(cells)
	}
	r.body.WriteString("\n")
}

func formatCell(cell any) string {
	f, ok := cell.(float64)
	switch {
	case !ok:
		return fmt.Sprint(cell)
	case f >= 100:
		return fmt.Sprintf("%.0f", f)
	case f >= 10:
		return fmt.Sprintf("%.1f", f)
	}
	return fmt.Sprintf("%.2f", f)
}

// verdict says whether a target is met.
func verdict(met bool) string {
	if met {
		return "met"
	}
	return "**not met**"
}

// write stores the fragment and shows it.
func (r *report) write(s *settings) error {
	if err := os.MkdirAll(s.Results, 0o755); err != nil {
		return err
	}
	rounds := fmt.Sprintf("Medians of %d interleaved rounds", s.Rounds)
	if r.once {
		rounds = "One run"
	}
	r.text("<sub>%s · %s</sub>", rounds, machine())
	fmt.Print(r.body.String())
	return os.WriteFile(filepath.Join(s.Results, r.name+".md"), []byte(r.body.String()), 0o644)
}

// machine describes where this runs.
func machine() string {
	model := runtime.GOARCH
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(data)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	system := runtime.GOOS
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		system += " " + unix.ByteSliceToString(u.Release[:])
	}
	return fmt.Sprintf("%s, %d cores, %s, %s", model, runtime.NumCPU(), system, runtime.Version())
}

type readmeCommand struct {
	File string `help:"The page to write." default:"bench/README.md" type:"path"`
}

// fragments are the parts of the page, in its order.
var fragments = []string{
	"get", "ranges", "head", "info", "ingest", "hfupload", "dedup", "commit", "tree", "repos", "idle", "uploaders",
}

const preface = `# Benchmarks

` + "`bench/run`" + ` measures the hub on this machine and writes this page; ` + "`bench/run get ranges`" + ` measures only some of it. Each comparison runs both sides in turn on the same machine, the same disk and the same client, and reports medians. The client is a small Go program that shares the cores with the server, keeps its connections, and lets the kernel discard large bodies. CPU seconds are the server's, from ` + "`/proc`" + `.

It needs Go and nginx; ` + "`hfupload`" + ` and ` + "`dedup`" + ` also a Python with huggingface_hub and hf_xet (` + "`PANTRY_PYTHON`" + `).

`

// Run writes the page.
func (c *readmeCommand) Run(s *settings) error {
	page := preface
	for _, name := range fragments {
		data, err := os.ReadFile(filepath.Join(s.Results, name+".md"))
		if errors.Is(err, fs.ErrNotExist) {
			page += fmt.Sprintf("## %s\nNot measured yet: `bench/run %s`.\n\n", name, name)
			continue
		}
		if err != nil {
			return err
		}
		page += string(data)
	}
	return os.WriteFile(c.File, []byte(strings.TrimRight(page, "\n")+"\n"), 0o644)
}
