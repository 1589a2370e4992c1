package kernel

import (
	"encoding/binary"
	"math"
)

// The quantisers of the K types are the reference ones of llama.cpp
// (ggml-quants.c: quantize_row_q4_K_ref and so on), operation by operation, so
// that files come out the same. float32(…) around products forbids fusing them
// with the sums.

// nearest rounds to the nearest integer, ties to even, if that is less than 2²² in
// size: so large a number added leaves no bits for a fraction.
func nearest(x float32) int {
	return int(math.Float32bits(x+3<<22)&0x7fffff) - 1<<22
}

// quantK4 quantises 256 elements to Q4_K (top 15) or Q5_K (top 31) blocks. The
// search for each sub-block's scale tries steps+1 factors from top+first on.
func quantK4(b []byte, x []float32, top int, first float32, steps int) {
	var scales, lows [8]float32
	var q [256]uint8
	var topScale, topLow float32
	fitScaleMins(&scales, &lows, x, top, first, steps)
	for j := range 8 {
		topScale, topLow = max(topScale, scales[j]), max(topLow, lows[j])
	}
	var toScale, toLow float32
	if topScale > 0 {
		toScale = 63 / topScale
	}
	if topLow > 0 {
		toLow = 63 / topLow
	}
	packed := b[4:16]
	clear(packed)
	for j := range 8 {
		s, m := byte(min(63, nearest(toScale*scales[j]))), byte(min(63, nearest(toLow*lows[j])))
		if j < 4 {
			packed[j], packed[j+4] = s, m
			continue
		}
		packed[j+4] = s&15 | m<<4
		packed[j-4] |= s >> 4 << 6
		packed[j] |= m >> 4 << 6
	}
	binary.LittleEndian.PutUint16(b, floatToHalf(topScale/63))
	binary.LittleEndian.PutUint16(b[2:], floatToHalf(topLow/63))
	d, dmin := halfAt(b, 0), halfAt(b, 2)
	for j := range 8 {
		s, m := scaleMinK4(j, packed)
		scale, low := d*float32(s), dmin*float32(m)
		if scale == 0 { // the levels are those of the search
			fitScaleMin(q[32*j:32*j+32], x[32*j:32*j+32], top, first, steps)
			continue
		}
		for i, v := range x[32*j : 32*j+32] {
			q[32*j+i] = uint8(min(max(nearest((v+low)/scale), 0), top))
		}
	}
	nibbles := b[len(b)-128:]
	for i := range nibbles {
		at := i/32*64 + i%32
		nibbles[i] = q[at]&15 | q[at+32]<<4
	}
	if top > 15 {
		fifth := b[16:48]
		clear(fifth)
		for i, v := range q {
			fifth[i%32] |= v >> 4 << (i / 32)
		}
	}
}

// fitScaleMinsPortable calls fitScaleMin for 8 sub-blocks.
func fitScaleMinsPortable(scales, lows *[8]float32, x []float32, top int, first float32, steps int) {
	var q [32]uint8
	for j := range scales {
		scales[j], lows[j] = fitScaleMin(q[:], x[32*j:32*j+32], top, first, steps)
	}
}

// searchFactor is the numerator of the factor that a step of the search tries.
func searchFactor(top, first float32, step int) float32 {
	return first + float32(0.1*float32(step)) + top
}

// fitScaleMin finds scale and low for which scale·q - low is nearest to x, 32
// elements that are weighed by their size, and fills q. It is make_qkx2_quants.
func fitScaleMin(q []uint8, elements []float32, top int, first float32, steps int) (scale, low float32) {
	x := (*[32]float32)(elements)
	var weights, best, try [32]float32 // integers, the latter two
	var squares float32
	for _, v := range x {
		squares += float32(v * v)
	}
	mean := float32(math.Sqrt(float64(squares / 32)))
	most := x[0]
	low = x[0] // -low, until the end
	var sumW, sumX float32
	for i, v := range x {
		w := mean + float32(math.Abs(float64(v)))
		weights[i] = w
		low, most = min(low, v), max(most, v)
		sumW += w
		sumX += float32(w * v)
	}
	low = min(low, 0)
	if low == most {
		clear(q)
		return 0, -low
	}
	limit := float32(top)
	factor := limit / (most - low)
	levels(&best, x, factor, low, limit)
	scale = 1 / factor
	least := misfit(&best, x, &weights, scale, low)
	for step := range steps + 1 {
		factor = searchFactor(limit, first, step) / (most - low)
		levels(&try, x, factor, low, limit)
		var sumL, sumL2, sumXL float32
		for i, v := range x {
			l := try[i]
			wl := weights[i] * l
			sumL += wl
			sumL2 += float32(wl * l)
			sumXL += float32(wl * v)
		}
		det := float32(sumW*sumL2) - float32(sumL*sumL)
		if !(det > 0) {
			continue
		}
		s := (float32(sumW*sumXL) - float32(sumX*sumL)) / det
		m := (float32(sumL2*sumX) - float32(sumL*sumXL)) / det
		if m > 0 {
			m, s = 0, sumXL/sumL2
		}
		if e := misfit(&try, x, &weights, s, m); e < least {
			best, least, scale, low = try, e, s, m
		}
	}
	for i, l := range best {
		q[i] = uint8(l)
	}
	return scale, -low
}

// levels rounds (x-low)·factor to integers from 0 to top.
func levels(q, x *[32]float32, factor, low, top float32) {
	for i, v := range x {
		l := float32(factor*(v-low)) + 3<<22 - 3<<22
		if !(l > 0) {
			l = 0
		}
		if l > top {
			l = top
		}
		q[i] = l
	}
}

// misfit is the weighed sum of squares of q·scale + low - x.
func misfit(q, x, weights *[32]float32, scale, low float32) float32 {
	var e float32
	for i, v := range x {
		d := float32(scale*q[i]) + low - v
		e += float32(weights[i] * float32(d*d))
	}
	return e
}

// quantQ6_K quantises 256 elements.
func quantQ6_K(b []byte, x []float32) {
	var scales [16]float32
	var q [256]uint8
	var top float32
	for j := range scales {
		scales[j] = fitScale(q[16*j:16*j+16], x[16*j:16*j+16])
		if math.Abs(float64(scales[j])) > math.Abs(float64(top)) {
			top = scales[j]
		}
	}
	if math.Abs(float64(top)) < tiny {
		clear(b)
		return
	}
	factor := -128 / top
	binary.LittleEndian.PutUint16(b[208:], floatToHalf(1/factor))
	d := halfAt(b, 208)
	for j, s := range scales {
		n := int8(min(127, nearest(factor*s)))
		b[192+j] = byte(n)
		scale := d * float32(n)
		if scale == 0 {
			continue
		}
		for i, v := range x[16*j : 16*j+16] {
			q[16*j+i] = uint8(min(max(nearest(v/scale), -32), 31) + 32)
		}
	}
	for h := range 2 {
		q, ql, qh := q[128*h:], b[64*h:], b[128+32*h:]
		for l := range 32 {
			ql[l] = q[l]&15 | q[l+64]<<4
			ql[l+32] = q[l+32]&15 | q[l+96]<<4
			qh[l] = q[l]>>4 | q[l+32]>>4<<2 | q[l+64]>>4<<4 | q[l+96]>>4<<6
		}
	}
}

// tiny is below every scale that is not noise; GROUP_MAX_EPS.
const tiny = 1e-15

// fitScale finds the scale for which scale·(q-32) is nearest to x, with elements
// weighed by their squares, and fills q. It is make_qx_quants.
func fitScale(q []uint8, x []float32) float32 {
	var size, most float32
	for _, v := range x {
		if a := float32(math.Abs(float64(v))); a > size {
			size, most = a, v
		}
	}
	if size < tiny {
		clear(q)
		return 0
	}
	level := func(v, factor float32) int { return min(max(nearest(factor*v), -32), 31) }
	sums := func(factor float32) (lx, l2 float32) {
		for _, v := range x {
			l, w := float32(level(v, factor)), float32(v*v)
			lx += float32(float32(w*v) * l)
			l2 += float32(float32(w*l) * l)
		}
		return lx, l2
	}
	fill := func(factor float32) {
		for i, v := range x {
			q[i] = uint8(level(v, factor) + 32)
		}
	}
	factor := -32 / most
	fill(factor)
	lx, l2 := sums(factor)
	var scale float32
	if l2 != 0 {
		scale = lx / l2
	}
	best := float32(scale * lx)
	for step := -9; step <= 9; step++ {
		if step == 0 {
			continue
		}
		factor = -(32 + float32(0.1*float32(step))) / most
		lx, l2 = sums(factor)
		if l2 > 0 && float32(lx*lx) > float32(best*l2) {
			fill(factor)
			scale = lx / l2
			best = float32(scale * lx)
		}
	}
	return scale
}
