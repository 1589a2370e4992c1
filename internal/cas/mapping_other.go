//go:build !unix

package cas

import (
	"errors"
	"os"
)

// mapFile is left to Unix: elsewhere, bytes are read and written.
func mapFile(*os.File, int64) ([]byte, error) { return nil, errors.ErrUnsupported }

func unmapFile([]byte) error { return nil }

// diskSpace is not known: copies are bounded by their limit only.
func diskSpace(string) (free, total int64, err error) { return 0, 0, errors.ErrUnsupported }
