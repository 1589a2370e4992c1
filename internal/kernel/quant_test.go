package kernel

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestAgainstGGML compares with what ggml made of the same floats and blocks; see
// testdata/ggml.py. Blocks and elements are equal bit for bit; products are sums of
// the same integers, in float32 in another order.
func TestAgainstGGML(t *testing.T) {
	data, err := os.ReadFile("testdata/ggml.bin")
	if err != nil {
		t.Fatal(err)
	}
	take := func(n int) []byte {
		b := data[:n]
		data = data[n:]
		return b
	}
	n := int(binary.LittleEndian.Uint32(take(4)))
	floats := func(n int) []float32 {
		f := make([]float32, n)
		for i, b := 0, take(4*n); i < n; i++ {
			f[i] = floatAt(b, 4*i)
		}
		return f
	}
	x, activations := floats(n), floats(n)
	for _, typ := range quantTypes {
		quantised := make([]byte, typ.RowBytes(n))
		Quantize(typ, quantised, x)
		want := take(len(quantised))
		for at := 0; at < len(want); at += typ.BlockBytes() {
			if got, want := quantised[at:at+typ.BlockBytes()], want[at:at+typ.BlockBytes()]; !bytes.Equal(got, want) {
				t.Errorf("%s: block %d quantised\n got %x\nwant %x", typ, at/typ.BlockBytes(), got, want)
			}
		}
		checkDequantized(t, typ, want, floats(n))
		checkDequantized(t, typ, take(len(want)), floats(n))
		checkProducts(t, typ, want, activations, floats(n/512))
	}
	if len(data) != 0 {
		t.Errorf("%d bytes are left", len(data))
	}
}

func checkDequantized(t *testing.T, typ Type, b []byte, want []float32) {
	t.Helper()
	got := make([]float32, len(want))
	Dequantize(typ, got, b)
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: element %d dequantised: got %v, want %v", typ, i, got[i], want[i])
		}
	}
}

// checkProducts multiplies every 512 elements of weights by as many of x.
func checkProducts(t *testing.T, typ Type, weights []byte, x, want []float32) {
	t.Helper()
	for _, k := range quantLevels() {
		for i, want := range want {
			row := weights[i*typ.RowBytes(512):][:typ.RowBytes(512)]
			w, err := NewMatrix(typ, 1, 512, row)
			if err != nil {
				t.Fatal(err)
			}
			elements, got := make([]float32, 512), make([]float32, 1)
			Dequantize(typ, elements, row)
			var size float64
			for c, v := range elements {
				size += math.Abs(float64(v) * float64(x[512*i+c]))
			}
			task := quantTask{products: []Product{{W: &w, Dst: got}}}
			task.run(nil, k.quantKernels, x[512*i:512*(i+1)], 1)
			if d := math.Abs(float64(got[0] - want)); !(d <= 2e-6*size) {
				t.Errorf("%s %s: product %d: got %v, want %v; of a size of %v", k.name, typ, i, got[0], want, size)
			}
		}
	}
}

func BenchmarkQuantize(b *testing.B) {
	x := randomFloats(newRand(1), 1<<14)
	for _, typ := range quantTypes {
		b.Run(typ.String(), func(b *testing.B) {
			dst := make([]byte, typ.RowBytes(len(x)))
			b.SetBytes(int64(4 * len(x)))
			for b.Loop() {
				Quantize(typ, dst, x)
			}
		})
	}
}

func BenchmarkDequantize(b *testing.B) {
	dst := make([]float32, 1<<14)
	for _, typ := range quantTypes {
		b.Run(typ.String(), func(b *testing.B) {
			src := randomBlocks(newRand(1), typ, 1, len(dst))
			b.SetBytes(int64(4 * len(dst)))
			for b.Loop() {
				Dequantize(typ, dst, src)
			}
		})
	}
}

// TestSearchAgrees: the search for scales in 8 lanes gives the bits of the portable
// one, also where a sub-block is flat, tiny or huge.
func TestSearchAgrees(t *testing.T) {
	r := newRand(11)
	for round := range 2000 {
		x := randomFloats(r, 256)
		for i := range x {
			switch block := i / 32; (block + round) % 7 {
			case 1:
				x[i] = 0
			case 2:
				x[i] = float32(block) - 3
			case 3:
				x[i] *= 1e-20
			case 4:
				x[i] = x[i]*x[i] + 1
			case 5:
				x[i] *= 1e15
			}
		}
		top, first, steps := 15, float32(-1), 20
		if round%2 == 1 {
			top, first, steps = 31, -0.5, 15
		}
		var got, want [2][8]float32
		fitScaleMins(&got[0], &got[1], x, top, first, steps)
		fitScaleMinsPortable(&want[0], &want[1], x, top, first, steps)
		if got != want {
			t.Fatalf("round %d:\n got %v\nwant %v", round, got, want)
		}
	}
}

// TestAVX2HasSixteenRegisters: the generator gives out registers 16 and up when it
// runs out of others, but only AVX-512 has them.
func TestAVX2HasSixteenRegisters(t *testing.T) {
	files, err := filepath.Glob("*_amd64.s")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	high := regexp.MustCompile(`\b[XY](1[6-9]|2\d|3[01])\b`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, function := range strings.Split(string(text), "\nTEXT ")[1:] {
			name, body, _ := strings.Cut(function, "\n")
			if strings.Contains(name, "AVX2") && high.MatchString(body) {
				t.Errorf("%s: %s uses %s", file, name, high.FindString(body))
			}
		}
	}
}
