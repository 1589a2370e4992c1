package image

import (
	"fmt"
	"math"
)

// Resampling is a filter for changes of size, numbered as in Pillow and in
// the "resample" setting.
type Resampling int

// The filters.
const (
	Nearest  Resampling = 0
	Lanczos  Resampling = 1 // sinc windowed by sinc, three lobes
	Bilinear Resampling = 2
	Bicubic  Resampling = 3 // a = -0.5
	Box      Resampling = 4
	Hamming  Resampling = 5 // sinc windowed by Hamming's cosine, one lobe
)

// filter is a resampling kernel: zero beyond ±support input pixels, which
// grow with the reduction, so that no input is skipped.
type filter struct {
	support float64
	at      func(x float64) float64
}

// filters by Resampling; Nearest has none. float64(…) around products keeps
// compilers from fusing them with sums, which would round otherwise.
var filters = map[Resampling]filter{
	Lanczos: {3, func(x float64) float64 {
		if -3 <= x && x < 3 {
			return sinc(x) * sinc(x/3)
		}
		return 0
	}},
	Bilinear: {1, func(x float64) float64 { return max(0, 1-math.Abs(x)) }},
	Bicubic: {2, func(x float64) float64 {
		const a = -0.5
		switch x = math.Abs(x); {
		case x < 1:
			return float64((float64((a+2)*x)-(a+3))*x*x) + 1
		case x < 2:
			return float64((float64((float64((x-5)*x)+8)*x) - 4) * a)
		}
		return 0
	}},
	Box: {0.5, func(x float64) float64 {
		if -0.5 < x && x <= 0.5 {
			return 1
		}
		return 0
	}},
	Hamming: {1, func(x float64) float64 {
		switch x = math.Abs(x); {
		case x == 0:
			return 1
		case x >= 1:
			return 0
		}
		x *= math.Pi
		// Pillow writes these constants in single precision.
		return math.Sin(x) / x * (float64(float32(0.54)) + float64(float64(float32(0.46))*math.Cos(x)))
	}},
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	x *= math.Pi
	return math.Sin(x) / x
}

// Bounds on the memory of resampling, for pictures of absurd proportions.
const (
	maxWeights = 1 << 24
	maxPixels  = 1 << 26
	maxSide    = 1 << 24
)

// taps are the weights of the outputs of one dimension. Nil taps leave the
// dimension as it is.
type taps struct {
	first   []int // input index of each output's first weight
	count   []int
	weights []int32 // (outputs, size), in units of 2^-shift
	size    int
	shift   uint
}

// newTaps computes the weights for out outputs made of in inputs: none if
// there is nothing to do.
func newTaps(f filter, backend Backend, in, out int) (*taps, error) {
	if in == out {
		return nil, nil
	}
	scale := float64(in) / float64(out)
	stretch := max(scale, 1)
	support := f.support * stretch
	t := &taps{first: make([]int, out), count: make([]int, out), size: int(math.Ceil(support))*2 + 1}
	if t.size > maxWeights/out {
		return nil, fmt.Errorf("%w: %d pixels cannot be resized to %d", ErrTooLarge, in, out)
	}
	exact := make([]float64, out*t.size)
	largest := 0.0
	for i := range out {
		center := float64((float64(i) + 0.5) * scale)
		first := max(0, int(center-support+0.5))
		count := min(min(in, int(center+support+0.5))-first, t.size)
		w := exact[i*t.size:][:count]
		sum := 0.0
		for j := range w {
			w[j] = f.at(float64((float64(j+first) - center + 0.5) * float64(1/stretch)))
			sum += w[j]
		}
		for j := range w {
			if sum != 0 {
				w[j] /= sum
			}
			largest = max(largest, w[j])
		}
		t.first[i], t.count[i] = first, count
	}
	t.shift = backend.precision(largest)
	t.weights = make([]int32, len(exact))
	for i, w := range exact {
		t.weights[i] = int32(w*float64(int64(1)<<t.shift) + math.Copysign(0.5, w))
	}
	return t, nil
}

// inputs is the range of inputs that outputs [from, to) are made of.
func (t *taps) inputs(from, to int) (first, last int) {
	if t == nil {
		return from, to
	}
	return t.first[from], t.first[to-1] + t.count[to-1]
}

// window is a part of a picture: columns [left, right), rows [top, bottom).
type window struct{ left, top, right, bottom int }

func (w window) width() int  { return w.right - w.left }
func (w window) height() int { return w.bottom - w.top }

// part is what a window shows.
type part struct {
	*RGB
	window
}

func newPart(w window) part { return part{newRGB(w.width(), w.height()), w} }

// row is the samples of columns [left, right) of a row, both counted in the
// whole picture.
func (p part) row(y, left, right int) []byte {
	return p.Pix[((y-p.top)*p.Width+left-p.left)*3:][:(right-left)*3]
}

// resample is the window of the picture resized to width × height. One
// dimension is resampled and rounded to bytes, then the other.
func resample(img *RGB, width, height int, w window, r Resampling, backend Backend) (*RGB, error) {
	tooLarge := fmt.Errorf("%w: %d × %d pixels cannot be resized to %d × %d", ErrTooLarge, img.Width, img.Height, width, height)
	if w.width() > maxPixels/w.height() {
		return nil, tooLarge
	}
	if r == Nearest {
		return backend.nearest(img, width, height, w), nil
	}
	f, ok := filters[r]
	if !ok {
		return nil, fmt.Errorf("%w: resample %d", ErrUnsupported, r)
	}
	columns, err := newTaps(f, backend, img.Width, width)
	if err != nil {
		return nil, err
	}
	rows, err := newTaps(f, backend, img.Height, height)
	if err != nil {
		return nil, err
	}
	p := part{img, window{0, 0, img.Width, img.Height}}
	if backend.rowsFirst(img, width, height) {
		first := w
		first.left, first.right = columns.inputs(w.left, w.right)
		if first.width() > maxPixels/first.height() {
			return nil, tooLarge
		}
		return columns.horizontal(rows.vertical(p, first), w).RGB, nil
	}
	first := w
	first.top, first.bottom = rows.inputs(w.top, w.bottom)
	if first.width() > maxPixels/first.height() {
		return nil, tooLarge
	}
	return rows.vertical(columns.horizontal(p, first), w).RGB, nil
}

// horizontal resamples the columns of the window.
func (t *taps) horizontal(p part, w window) part {
	out := newPart(w)
	for y := w.top; y < w.bottom; y++ {
		dst := out.row(y, w.left, w.right)
		if t == nil {
			copy(dst, p.row(y, w.left, w.right))
			continue
		}
		src, half := p.row(y, p.left, p.right), int32(1)<<(t.shift-1)
		for x := w.left; x < w.right; x++ {
			pixels := src[3*(t.first[x]-p.left):]
			r, g, b := half, half, half
			for _, w := range t.weights[x*t.size:][:t.count[x]] {
				s := pixels[:3:3]
				r += w * int32(s[0])
				g += w * int32(s[1])
				b += w * int32(s[2])
				pixels = pixels[3:]
			}
			s := dst[:3:3]
			s[0], s[1], s[2] = clip(r>>t.shift), clip(g>>t.shift), clip(b>>t.shift)
			dst = dst[3:]
		}
	}
	return out
}

// vertical resamples the rows of the window.
func (t *taps) vertical(p part, w window) part {
	if t == nil {
		return t.horizontal(p, w)
	}
	out := newPart(w)
	sums := make([]int32, out.Width*3)
	for y := w.top; y < w.bottom; y++ {
		for i := range sums {
			sums[i] = 1 << (t.shift - 1)
		}
		for j, weight := range t.weights[y*t.size:][:t.count[y]] {
			row := p.row(t.first[y]+j, w.left, w.right)
			sums := sums[:len(row)]
			for i, v := range row {
				sums[i] += weight * int32(v)
			}
		}
		dst := out.row(y, w.left, w.right)
		for i, v := range sums {
			dst[i] = clip(v >> t.shift)
		}
	}
	return out
}

func clip(v int32) byte { return byte(min(max(v, 0), 255)) }
