package parity

import (
	"context"
	"errors"
	"testing"

	"github.com/pantryhub/pantry/transformers/nn"
)

// ErrEnded is why an Ending ends.
var ErrEnded = errors.New("the caller lost interest")

// Ending is a context that counts how often it is asked whether it has ended,
// and ends at one of these looks. It is used by one
// goroutine at a time.
type Ending struct {
	context.Context
	end   context.CancelCauseFunc
	last  int
	Looks int
}

// NewEnding is a context that ends at the look after the first last ones; never
// if last is negative.
func NewEnding(last int) *Ending {
	ctx, end := context.WithCancelCause(context.Background())
	return &Ending{Context: ctx, end: end, last: last}
}

// Err implements context.Context.
func (e *Ending) Err() error {
	if e.Looks == e.last {
		e.end(ErrEnded)
	}
	e.Looks++
	return e.Context.Err()
}

// CheckGivenUp checks that run, a pass of so many layers, looks at its context
// before each of them, and does nothing more than that once it has ended.
func CheckGivenUp(t *testing.T, ws *nn.Workspace, layers int, run func()) {
	t.Helper()
	whole := NewEnding(-1)
	ws.Begin(whole)
	run()
	if err := ws.Err(); err != nil {
		t.Errorf("a pass that nobody ended: %v", err)
	}
	if whole.Looks < layers {
		t.Errorf("a pass of %d layers looked at its context %d times", layers, whole.Looks)
	}
	for last := range whole.Looks {
		ctx := NewEnding(last)
		ws.Begin(ctx)
		run()
		if err := ws.Err(); err != ErrEnded {
			t.Errorf("a pass that ended at layer %d: %v, want %v", last, err, ErrEnded)
		}
		if ctx.Looks > last+2 { // context.Cause may look once more
			t.Errorf("a pass that ended at layer %d looked %d times", last, ctx.Looks)
		}
	}
	ws.Begin(context.Background())
}
