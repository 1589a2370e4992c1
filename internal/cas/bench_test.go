package cas

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"testing"
)

// BenchmarkIngest takes in new content of different kinds, end to end: read, cut,
// BLAKE3, SHA-256, compress, spool, store durably, register.
func BenchmarkIngest(b *testing.B) {
	const size = 256 << 20
	for name, make := range map[string]func(seed uint64, n int) []byte{
		"random": randomBytes, "text": textBytes, "weights": halfBytes,
	} {
		b.Run(name, func(b *testing.B) {
			f := newDirFixture(b)
			data := make(1, size)
			b.SetBytes(size)
			seed := byte(0)
			for b.Loop() {
				b.StopTimer()
				seed++
				for i := 0; i < size; i += 4096 { // new content, same kind
					data[i] ^= seed
				}
				b.StartTimer()
				if _, err := f.Ingest(context.Background(), bytes.NewReader(data)); err != nil {
					b.Fatal(err)
				}
			}
			stored, _ := f.stored(b)
			b.ReportMetric(float64(stored)/float64(b.N)/size, "stored/raw")
		})
	}
}

// BenchmarkRead reads a file front to back without a network.
func BenchmarkRead(b *testing.B) {
	const size = 256 << 20
	for name, make := range map[string]func(seed uint64, n int) []byte{
		"random": randomBytes, "text": textBytes, "weights": halfBytes,
	} {
		b.Run(name, func(b *testing.B) {
			f := newDirFixture(b)
			file := f.mustIngest(b, make(1, size))
			b.SetBytes(size)
			for b.Loop() {
				r, err := f.Open(context.Background(), file.Xet)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := r.WriteTo(struct{ io.Writer }{io.Discard}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRange reads 64 KiB at random places without a network.
func BenchmarkRange(b *testing.B) {
	const size, n = 256 << 20, 64 << 10
	for name, make := range map[string]func(seed uint64, n int) []byte{
		"random": randomBytes, "text": textBytes, "weights": halfBytes,
	} {
		b.Run(name, func(b *testing.B) {
			f := newDirFixture(b)
			file := f.mustIngest(b, make(1, size))
			rng := rand.New(rand.NewPCG(1, 2))
			b.SetBytes(n)
			b.ReportAllocs()
			for b.Loop() {
				r, err := f.Open(context.Background(), file.Xet)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := r.WriteRange(struct{ io.Writer }{io.Discard}, rng.Int64N(size-n), n); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
