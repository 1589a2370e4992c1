package kernel

import (
	"fmt"
	"testing"
)

// BenchmarkQuantProduct is one full tile by one panel chunk, in the first cache,
// on one thread.
func BenchmarkQuantProduct(b *testing.B) {
	r := newRand(1)
	for _, k := range quantLevels() {
		if k.quantKernels == &portableQuant {
			continue
		}
		for _, typ := range quantTypes {
			b.Run(k.name+"/"+typ.String(), func(b *testing.B) {
				f := &formats[typ]
				m := k.tile[f.tile]
				const cols = chunkCols
				src := randomBlocks(r, typ, panelRows, cols)
				panel := make([]byte, cols/f.cols*f.panelBytes())
				packPortable(typ, &panel[0], &src[0], typ.RowBytes(cols), cols/typ.BlockLen())
				tile := tileOf(&portableQuant, f, randomFloats(r, m*cols), m, cols)
				dst := make([]float32, m*panelRows)
				b.ResetTimer()
				for b.Loop() {
					k.product[f.product](&dst[0], panelRows, &panel[0], &tile[0], cols/f.cols, m, 1, &src[0], 0)
				}
				macs := float64(m*panelRows*cols) * float64(b.N)
				b.ReportMetric(macs/b.Elapsed().Seconds()/1e9, "GMAC/s")
			})
		}
	}
}

// BenchmarkPack is how fast the bytes of weights in cache become panels.
func BenchmarkPack(b *testing.B) {
	r := newRand(1)
	for _, k := range quantLevels()[:1] {
		for _, typ := range quantTypes {
			b.Run(k.name+"/"+typ.String(), func(b *testing.B) {
				f := &formats[typ]
				const cols = chunkCols
				src := randomBlocks(r, typ, panelRows, cols)
				panel := make([]byte, cols/f.cols*f.panelBytes())
				b.SetBytes(int64(len(src)))
				for b.Loop() {
					k.pack[typ](&panel[0], &src[0], typ.RowBytes(cols), cols/typ.BlockLen(), &src[0], 0)
				}
			})
		}
	}
}

// BenchmarkQuantMatMul is a layer's worth of a 1.1 B Llama on all threads: weights
// of 180 MiB (Q8_0) in rotation, more than any cache.
func BenchmarkQuantMatMul(b *testing.B) {
	r := newRand(1)
	pool := NewPool(0)
	defer pool.Close()
	const rows, cols = 5632, 2048
	for _, typ := range quantTypes {
		one := randomBlocks(r, typ, 64, cols)
		var weights []Matrix
		for range 16 {
			data := make([]byte, 0, rows*typ.RowBytes(cols))
			for len(data) < cap(data) {
				data = append(data, one...)
			}
			w, err := NewMatrix(typ, rows, cols, data)
			if err != nil {
				b.Fatal(err)
			}
			weights = append(weights, w)
		}
		for _, k := range quantLevels() {
			if k.quantKernels == &portableQuant {
				continue
			}
			for _, n := range []int{1, 2, 4, 8, 16, 64, 512} {
				b.Run(fmt.Sprintf("%s/%s/n=%d", typ, k.name, n), func(b *testing.B) {
					x, dst := randomFloats(r, n*cols), make([]float32, n*rows)
					var task quantTask
					i := 0
					for b.Loop() {
						task.products = append(task.products[:0], Product{W: &weights[i%len(weights)], Dst: dst})
						task.run(pool, k.quantKernels, x, n)
						i++
					}
					s := b.Elapsed().Seconds() / float64(b.N)
					b.ReportMetric(float64(len(weights[0].Data))/s/1e9, "GB/s")
					b.ReportMetric(float64(n*rows*cols)/s/1e9, "GMAC/s")
				})
			}
		}
	}
}
