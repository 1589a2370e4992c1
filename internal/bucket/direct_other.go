//go:build !linux

package bucket

import (
	"errors"
	"os"
)

// setDirect fails: only on Linux can an open file change to direct writes.
func setDirect(*os.File, bool) error { return errors.ErrUnsupported }
