package main

import (
	"context"
	"path/filepath"
	"time"
)

type idleCommand struct {
	Rest time.Duration `help:"How long the hub rests before its memory is read." default:"10s"`
}

// start is one start of a hub.
type start struct {
	took time.Duration
	memory
}

// Run measures how long a hub takes to answer from an empty folder, and from
// the same folder again, and what it holds at rest.
func (c *idleCommand) Run(ctx context.Context, s *settings) error {
	r := newReport("idle", "Start and memory at rest")
	r.text("From the start of the process to the first answer of `/healthz`; memory %v later. Targets: empty start < 0.3 s, memory < 60 MB.", c.Rest)
	var empty, again []start
	err := s.rounds(ctx, func(ctx context.Context) error {
		dir, remove, err := s.folder("idle")
		if err != nil {
			return err
		}
		defer remove()
		for _, to := range []*[]start{&empty, &again} {
			one, err := c.once(ctx, s, filepath.Join(dir, "data"))
			if err != nil {
				return err
			}
			*to = append(*to, one)
		}
		return nil
	})
	if err != nil {
		return err
	}
	var rows [][]any
	for _, side := range []struct {
		name   string
		starts []start
	}{{"empty folder", empty}, {"the same folder again", again}} {
		took := medianOf(side.starts, func(s start) float64 { return s.took.Seconds() })
		resident := medianOf(side.starts, func(s start) float64 { return float64(s.resident) / 1e6 })
		rows = append(rows, []any{side.name, took, resident,
			medianOf(side.starts, func(s start) float64 { return float64(s.anonymous) / 1e6 }), verdict(took < 0.3 && resident < 60)})
	}
	r.table([]string{"start from", "s", "resident MB", "of it its own", "target"}, rows)
	return r.write(s)
}

func (c *idleCommand) once(ctx context.Context, s *settings, data string) (start, error) {
	p, err := startPantry(ctx, s, data)
	if err != nil {
		return start{}, err
	}
	defer p.stop()
	select {
	case <-ctx.Done():
		return start{}, ctx.Err()
	case <-time.After(c.Rest):
	}
	m, err := p.memory()
	return start{p.startup, m}, err
}
