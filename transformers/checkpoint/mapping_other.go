//go:build !unix

package checkpoint

import "os"

// mapFile reads the file into memory where there is no mmap.
func mapFile(path string) (mapping, error) {
	info, err := os.Stat(path)
	if err != nil {
		return mapping{}, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return mapping{}, err
	}
	return mapping{data: data, path: path, time: info.ModTime(), unmap: func() error { return nil }}, nil
}
