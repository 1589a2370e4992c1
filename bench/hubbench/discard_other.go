//go:build !linux

package main

import "io"

// discard drops n bytes of the connection.
func (w *wire) discard(n int64) error {
	for n > 0 {
		m, err := io.ReadFull(w.conn, w.sink[:min(n, int64(len(w.sink)))])
		if err != nil {
			return err
		}
		n -= int64(m)
	}
	return nil
}
