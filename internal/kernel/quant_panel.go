package kernel

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// Products with quantised weights multiply integers: 8 bits or less of weight by
// 8 bits of activation, as llama.cpp does, for any number of rows. Both sides are
// rearranged first.
//
// A panel is 16 rows of a weight. Its blocks follow each other; each is, for a
// block of cols columns (32, or 16 for Q6_K):
//
//	cols/4 groups of (16 rows, 4 columns) unsigned bytes: weight + offset
//	16 float32: the rows' scales
//	16 float32: the rows' minimums, with formats that have them
//
// so that 4 columns of 16 rows are one AVX-512 register, or two of AVX2, and
// lanes are rows: nothing is ever summed across lanes.
//
// A tile is m rows of activations. Its blocks are
//
//	m times cols int8
//	m float32: the rows' scales
//	m sums over the block, times what the offset or the minimum needs:
//	  int32 -offset·Σq, where a sum of products begins; or float32 -scale·Σq,
//	  which multiplies the minimum
const panelRows = 16

// format is how a type's weights lie in panels and what tiles they need.
type format struct {
	cols    int   // columns of a panel block
	offset  int32 // what panels add to weights to make them unsigned
	mins    bool
	tile    tileFormat
	product productKind
}

// tileFormat names the layouts of tiles: types that share one share the
// quantised activations.
type tileFormat uint8

const (
	tileQ8_0 tileFormat = iota // blocks of 32, each with its scale; for Q8_0
	tileQ4_0                   // the same for Q4_0, which has another offset
	tileK32                    // a scale for 256, blocks of 32 with float32 sums
	tileK16                    // a scale for 256, blocks of 16
	tileFormats
)

// productKind names the kernels, which know how large weights are.
type productKind uint8

const (
	product8    productKind = iota // 8 bits
	product4                       // 4 bits
	product4Min                    // 4 bits and minimums
	product5Min                    // 5 bits and minimums
	product6                       // 6 bits in blocks of 16
	productKinds
)

var formats = [...]format{
	Q8_0: {cols: 32, offset: 128, tile: tileQ8_0, product: product8},
	Q4_0: {cols: 32, offset: 8, tile: tileQ4_0, product: product4},
	Q4_K: {cols: 32, mins: true, tile: tileK32, product: product4Min},
	Q5_K: {cols: 32, mins: true, tile: tileK32, product: product5Min},
	Q6_K: {cols: 16, offset: 32, tile: tileK16, product: product6},
}

// panelBytes is the size of a panel's block.
func (f *format) panelBytes() int {
	n := panelRows * (f.cols + 4)
	if f.mins {
		n += panelRows * 4
	}
	return n
}

// rowBytes is the share of one row in a tile's block.
func (f *format) rowBytes() int { return f.cols + 8 }

// A panelPacker writes 16 rows of blocks (of the file), which are stride bytes apart,
// as a panel.
//
// Packers and products also ask for memory that will be needed soon, evenly while
// they work: a core has only so many misses outstanding, and waits when it has
// more. If step is 1 they prefetch some lines with every block, from ahead on.
type panelPacker func(dst, src *byte, stride, blocks int, ahead *byte, step int)

// A panelProduct writes, or if sum is 1 adds, panel times tile over so many blocks (of
// the panel) into dst (m, 16), whose rows are ldd elements apart.
type panelProduct func(dst *float32, ldd int, panel, tile *byte, blocks, m, sum int, ahead *byte, step int)

// A tileQuantizer writes one row of blocks (of 32 for Q8_0, 256 for Q8_K) into a tile
// whose blocks are record bytes long. Counted from the row's first byte in a
// block, its scale is at scaleAt and its sum at sumAt.
type tileQuantizer func(dst *byte, x *float32, blocks, record, scaleAt, sumAt int, offset int32)

// quantKernels is one implementation of everything above.
type quantKernels struct {
	tile     [tileFormats]int // rows of a tile
	pack     [len(formats)]panelPacker
	lines    [len(formats)]int // that packers prefetch with every block of the file
	product  [productKinds]panelProduct
	quantize [tileFormats]tileQuantizer
}

var portableQuant = quantKernels{
	tile: [tileFormats]int{4, 4, 4, 4},
	pack: [len(formats)]panelPacker{
		Q8_0: func(dst, src *byte, stride, blocks int, _ *byte, _ int) { packPortable(Q8_0, dst, src, stride, blocks) },
		Q4_0: func(dst, src *byte, stride, blocks int, _ *byte, _ int) { packPortable(Q4_0, dst, src, stride, blocks) },
		Q4_K: func(dst, src *byte, stride, blocks int, _ *byte, _ int) { packPortable(Q4_K, dst, src, stride, blocks) },
		Q5_K: func(dst, src *byte, stride, blocks int, _ *byte, _ int) { packPortable(Q5_K, dst, src, stride, blocks) },
		Q6_K: func(dst, src *byte, stride, blocks int, _ *byte, _ int) { packPortable(Q6_K, dst, src, stride, blocks) },
	},
	product: [productKinds]panelProduct{
		product8:    productPortable(&formats[Q8_0]),
		product4:    productPortable(&formats[Q4_0]),
		product4Min: productPortable(&formats[Q4_K]),
		product5Min: productPortable(&formats[Q5_K]),
		product6:    productPortable(&formats[Q6_K]),
	},
	quantize: [tileFormats]tileQuantizer{
		tileQ8_0: quantizePortableQ8_0,
		tileQ4_0: quantizePortableQ8_0,
		tileK32:  quantizePortableQ8_K(32),
		tileK16:  quantizePortableQ8_K(16),
	},
}

// unpacked is one block of a file as integers: element i is
// scale[i/cols]·(q[i]-offset) - low[i/cols].
type unpacked struct {
	q          [256]uint8
	scale, low [16]float32
}

func (u *unpacked) unpack(t Type, b []byte) {
	switch t {
	case Q8_0:
		u.scale[0] = halfAt(b, 0)
		for i, q := range b[2:34] {
			u.q[i] = q ^ 0x80
		}
	case Q4_0:
		u.scale[0] = halfAt(b, 0)
		for i, q := range b[2:18] {
			u.q[i], u.q[i+16] = q&15, q>>4
		}
	case Q4_K, Q5_K:
		u.unpackK4(t, b)
	case Q6_K:
		u.unpackQ6_K(b)
	}
}

func (u *unpacked) unpackK4(t Type, b []byte) {
	d, dmin := halfAt(b, 0), halfAt(b, 2)
	for j := range 8 {
		scale, low := scaleMinK4(j, b[4:16])
		u.scale[j], u.low[j] = d*float32(scale), dmin*float32(low)
	}
	qs := b[len(b)-128:]
	for i, q := range qs[:128] {
		at := i/32*64 + i%32
		u.q[at], u.q[at+32] = q&15, q>>4
	}
	if t == Q5_K {
		for i := range u.q {
			u.q[i] |= b[16+i%32] >> (i / 32) & 1 << 4
		}
	}
}

func (u *unpacked) unpackQ6_K(b []byte) {
	ql, qh, d := b[:128], b[128:192], halfAt(b, 208)
	for i := range u.q {
		h, l := i/128, i%128
		low := ql[64*h+l%64] >> (l / 64 * 4) & 15
		u.q[i] = low | qh[32*h+l%32]>>(l/32*2)&3<<4
	}
	for j, s := range b[192:208] {
		u.scale[j] = d * float32(int8(s))
	}
}

func packPortable(t Type, dst, src *byte, stride, blocks int) {
	f, size := &formats[t], t.BlockBytes()
	each := t.BlockLen() / f.cols // panel blocks of a block
	panel := unsafe.Slice(dst, blocks*each*f.panelBytes())
	rows := unsafe.Slice(src, 15*stride+blocks*size)
	var u unpacked
	for b := range blocks {
		for r := range panelRows {
			at := r*stride + b*size
			u.unpack(t, rows[at:at+size])
			for j := range each {
				block := panel[(b*each+j)*f.panelBytes():]
				for c, q := range u.q[j*f.cols : (j+1)*f.cols] {
					block[c/4*64+4*r+c%4] = q
				}
				putFloat(block[panelRows*f.cols+4*r:], u.scale[j])
				if f.mins {
					putFloat(block[panelRows*(f.cols+4)+4*r:], u.low[j])
				}
			}
		}
	}
}

func putFloat(b []byte, f float32) { binary.LittleEndian.PutUint32(b, math.Float32bits(f)) }

func floatAt(b []byte, off int) float32 {
	return math.Float32frombits(binary.LittleEndian.Uint32(b[off:]))
}

func productPortable(f *format) panelProduct {
	return func(dst *float32, ldd int, panel, tile *byte, blocks, m, sum int, _ *byte, _ int) {
		out := unsafe.Slice(dst, (m-1)*ldd+panelRows)
		p := unsafe.Slice(panel, blocks*f.panelBytes())
		x := unsafe.Slice(tile, blocks*m*f.rowBytes())
		for i := range m {
			row := out[i*ldd:][:panelRows]
			if sum == 0 {
				clear(row)
			}
			for b := range blocks {
				f.blockPortable(row, p[b*f.panelBytes():][:f.panelBytes()], x[b*m*f.rowBytes():], i, m)
			}
		}
	}
}

// blockPortable adds a panel's block times row i of a tile's block of m rows.
func (f *format) blockPortable(out []float32, p, x []byte, i, m int) {
	scale, sumAt := floatAt(x, m*f.cols+4*i), m*(f.cols+4)+4*i
	var acc [panelRows]int32
	if !f.mins {
		for r := range acc {
			acc[r] = int32(binary.LittleEndian.Uint32(x[sumAt:]))
		}
	}
	q := x[i*f.cols:][:f.cols]
	for g := 0; g < f.cols; g += 4 {
		w := (*[panelRows * 4]byte)(p[panelRows*g:])
		a, b, c, d := int32(int8(q[g])), int32(int8(q[g+1])), int32(int8(q[g+2])), int32(int8(q[g+3]))
		for r := range acc {
			acc[r] += int32(w[4*r])*a + int32(w[4*r+1])*b + int32(w[4*r+2])*c + int32(w[4*r+3])*d
		}
	}
	scales := p[panelRows*f.cols:]
	for r := range acc {
		out[r] += float32(acc[r]) * float32(floatAt(scales, 4*r)*scale)
	}
	if f.mins {
		sum, lows := floatAt(x, sumAt), p[panelRows*(f.cols+4):]
		for r := range out {
			out[r] += floatAt(lows, 4*r) * sum
		}
	}
}

// largest returns the largest |x|.
func largest(x []float32) float32 {
	var top float32
	for _, v := range x {
		top = max(top, float32(math.Abs(float64(v))))
	}
	return top
}

// quantizePortableQ8_0 is quantize_row_q8_0 of llama.cpp for x86: to nearest,
// ties to even; the scale is rounded to F16.
func quantizePortableQ8_0(dst *byte, x *float32, blocks, record, scaleAt, sumAt int, offset int32) {
	for b := range blocks {
		row := unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(dst), b*record)), sumAt+4)
		block := unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(x), b*128)), 32)
		top := largest(block)
		var inverse float32
		if top != 0 {
			inverse = 127 / top
		}
		sum := quantizeInto(row, block, inverse)
		putFloat(row[scaleAt:], halfToFloat(floatToHalf(top/127)))
		binary.LittleEndian.PutUint32(row[sumAt:], uint32(sum*offset))
	}
}

// quantizeInto writes x·inverse as int8 and returns their sum.
func quantizeInto(dst []byte, x []float32, inverse float32) int32 {
	var sum int32
	for i, v := range x {
		q := int32(math.RoundToEven(float64(v * inverse)))
		dst[i] = byte(int8(q))
		sum += q
	}
	return sum
}

// quantizePortableQ8_K is quantize_row_q8_K of llama.cpp, up to the sign of the
// scale, which products do not see.
func quantizePortableQ8_K(cols int) tileQuantizer {
	return func(dst *byte, x *float32, blocks, record, scaleAt, sumAt int, offset int32) {
		for b := range blocks {
			block := unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(x), b*1024)), 256)
			var inverse, scale float32
			if top := largest(block); top != 0 {
				inverse = 127 / top
				scale = 1 / inverse
			}
			for j := range 256 / cols {
				row := unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(dst), (b*256/cols+j)*record)), sumAt+4)
				sum := quantizeInto(row, block[j*cols:(j+1)*cols], inverse)
				putFloat(row[scaleAt:], scale)
				if cols == 32 {
					putFloat(row[sumAt:], -scale*float32(sum))
				} else {
					binary.LittleEndian.PutUint32(row[sumAt:], uint32(sum*offset))
				}
			}
		}
	}
}
