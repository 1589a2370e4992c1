package jpeg

// pixels scales the planes up to the picture's size and converts the colours.
func (d *decoder) pixels() []byte {
	n := len(d.comps)
	out := make([]byte, d.width*d.height*n)
	rows := make([][]byte, n)
	for i := range rows {
		rows[i] = make([]byte, d.mcusX*d.maxH*8)
	}
	up := make([]upsampler, n)
	for i := range up {
		up[i] = upsampler{component: &d.comps[i], h: d.maxH / d.comps[i].h, v: d.maxV / d.comps[i].v}
	}
	convert := d.conversion()
	for y := range d.height {
		for i := range up {
			up[i].row(rows[i], y)
		}
		convert(out[y*d.width*n:][:d.width*n], rows)
	}
	return out
}

// upsampler makes full rows of a component that has one sample for h × v
// pixels.
type upsampler struct {
	*component
	h, v int
	sums []int // of one row, for the two-dimensional filter
}

// row writes row y of the picture. Ratios of two are filtered by a triangle
// (weights 3/4 and 1/4), rounding up and down by turns so that no bias
// arises; other ratios, and components too narrow for it, repeat samples.
func (u *upsampler) row(dst []byte, y int) {
	near, far, lower := y/u.v, y/u.v-1, y%u.v == 1
	if lower {
		far += 2
	}
	switch {
	case u.h == 1 && u.v == 1:
		copy(dst, u.component.row(y))
	case u.h == 2 && u.v == 1 && u.width > 2:
		wide(dst, u.component.row(y))
	case u.h == 1 && u.v == 2:
		bias := 1
		if lower {
			bias = 2
		}
		a, b := u.component.row(near), u.component.row(far)
		for x := range a {
			dst[x] = byte((3*int(a[x]) + int(b[x]) + bias) >> 2)
		}
	case u.h == 2 && u.v == 2 && u.width > 2:
		a, b := u.component.row(near), u.component.row(far)
		if u.sums == nil {
			u.sums = make([]int, u.width)
		}
		for x := range u.sums {
			u.sums[x] = 3*int(a[x]) + int(b[x])
		}
		wideSums(dst, u.sums)
	default:
		for x, v := range u.component.row(near) {
			for i := range u.h {
				dst[x*u.h+i] = v
			}
		}
	}
}

// wide doubles a row of at least two samples.
func wide(dst, src []byte) {
	last := len(src) - 1
	dst = dst[:2*len(src)]
	dst[0], dst[2*last+1] = src[0], src[last]
	for x := range last {
		a, b := int(src[x]), int(src[x+1])
		dst[2*x+1] = byte((3*a + b + 2) >> 2)
		dst[2*x+2] = byte((3*b + a + 1) >> 2)
	}
}

// wideSums doubles a row of samples that are four times too large.
func wideSums(dst []byte, sums []int) {
	last := len(sums) - 1
	dst = dst[:2*len(sums)]
	dst[0], dst[2*last+1] = byte((4*sums[0]+8)>>4), byte((4*sums[last]+7)>>4)
	for x := range last {
		a, b := sums[x], sums[x+1]
		dst[2*x+1] = byte((3*a + b + 7) >> 4)
		dst[2*x+2] = byte((3*b + a + 8) >> 4)
	}
}

// ycc says what a chroma sample adds to the luminance: the matrix of ITU
// T.871 in 16-bit fixed point.
var ycc = newYCCTable()

type yccTable struct {
	redCr, blueCb    [256]int32
	greenCr, greenCb [256]int32 // × 2^16; greenCb carries the rounding
}

func newYCCTable() *yccTable {
	t := &yccTable{}
	for i := range 256 {
		x := int32(i) - 128
		t.redCr[i] = (91881*x + 1<<15) >> 16   // 1.402
		t.blueCb[i] = (116130*x + 1<<15) >> 16 // 1.772
		t.greenCr[i] = -46802 * x              // 0.71414
		t.greenCb[i] = -22554*x + 1<<15        // 0.34414
	}
	return t
}

// green is what both chroma samples add to green.
func (t *yccTable) green(cb, cr byte) int32 { return (t.greenCb[cb] + t.greenCr[cr]) >> 16 }

// conversion is the function from rows of components to a row of pixels. The
// colour space is guessed as libjpeg guesses it.
func (d *decoder) conversion() func(dst []byte, rows [][]byte) {
	ids := [3]int{}
	for i := range min(3, len(d.comps)) {
		ids[i] = d.comps[i].id
	}
	switch {
	case len(d.comps) == 1:
		return func(dst []byte, rows [][]byte) { copy(dst, rows[0]) }
	case len(d.comps) == 4 && d.adobe && d.adobeTransform != 0:
		return ycckToCMYK
	case len(d.comps) == 4:
		return interleave
	case d.jfif:
		return yccToRGB
	case d.adobe && d.adobeTransform == 0, !d.adobe && ids == [3]int{'R', 'G', 'B'}:
		return interleave
	}
	return yccToRGB
}

func interleave(dst []byte, rows [][]byte) {
	n := len(rows)
	for i, row := range rows {
		for x := range len(dst) / n {
			dst[x*n+i] = row[x]
		}
	}
}

func yccToRGB(dst []byte, rows [][]byte) {
	n := len(dst) / 3
	ys, cbs, crs := rows[0][:n], rows[1][:n], rows[2][:n]
	for x := range n {
		y, cb, cr := int32(ys[x]), cbs[x], crs[x]
		p := dst[3*x : 3*x+3 : 3*x+3]
		p[0] = clip(y + ycc.redCr[cr])
		p[1] = clip(y + ycc.green(cb, cr))
		p[2] = clip(y + ycc.blueCb[cb])
	}
}

// ycckToCMYK converts to inverted RGB, which is CMY, and leaves black alone.
func ycckToCMYK(dst []byte, rows [][]byte) {
	for x := range len(dst) / 4 {
		y, cb, cr := int32(rows[0][x]), rows[1][x], rows[2][x]
		dst[4*x] = clip(255 - (y + ycc.redCr[cr]))
		dst[4*x+1] = clip(255 - (y + ycc.green(cb, cr)))
		dst[4*x+2] = clip(255 - (y + ycc.blueCb[cb]))
		dst[4*x+3] = rows[3][x]
	}
}

func clip(v int32) byte { return byte(min(max(v, 0), 255)) }
