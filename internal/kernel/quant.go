package kernel

import (
	"encoding/binary"
	"math"
)

// Dequantize writes the elements stored in src, whole blocks of t, into dst.
func Dequantize(t Type, dst []float32, src []byte) {
	n, size := t.BlockLen(), t.BlockBytes()
	src = src[:t.RowBytes(len(dst))]
	if !t.Quantised() {
		widen(t, dst, src)
		return
	}
	for ; len(src) > 0; dst, src = dst[n:], src[size:] {
		switch t {
		case Q8_0:
			dequantQ8_0(dst[:n], src[:size])
		case Q4_0:
			dequantQ4_0(dst[:n], src[:size])
		case Q4_K:
			dequantQ4_K(dst[:n], src[:size])
		case Q5_K:
			dequantQ5_K(dst[:n], src[:size])
		case Q6_K:
			dequantQ6_K(dst[:n], src[:size])
		}
	}
}

// Quantize writes src, whole blocks, as t into dst, as llama.cpp's reference
// quantisers do. Elements that are not finite make the block meaningless.
func Quantize(t Type, dst []byte, src []float32) {
	n, size := t.BlockLen(), t.BlockBytes()
	dst = dst[:t.RowBytes(len(src))]
	if !t.Quantised() {
		narrow(t, dst, src)
		return
	}
	for ; len(dst) > 0; dst, src = dst[size:], src[n:] {
		switch t {
		case Q8_0:
			quantQ8_0(dst[:size], src[:n])
		case Q4_0:
			quantQ4_0(dst[:size], src[:n])
		case Q4_K:
			quantK4(dst[:size], src[:n], 15, -1, 20)
		case Q5_K:
			quantK4(dst[:size], src[:n], 31, -0.5, 15)
		case Q6_K:
			quantQ6_K(dst[:size], src[:n])
		}
	}
}

func halfAt(b []byte, off int) float32 {
	return halfToFloat(binary.LittleEndian.Uint16(b[off:]))
}

func dequantQ8_0(dst []float32, b []byte) {
	d := halfAt(b, 0)
	for i, q := range b[2:] {
		dst[i] = float32(int8(q)) * d
	}
}

func dequantQ4_0(dst []float32, b []byte) {
	d := halfAt(b, 0)
	for i, q := range b[2:] {
		dst[i] = float32(int(q&15)-8) * d
		dst[i+16] = float32(int(q>>4)-8) * d
	}
}

// scaleMinK4 unpacks the 6-bit scale and minimum of sub-block j.
func scaleMinK4(j int, q []byte) (scale, low byte) {
	if j < 4 {
		return q[j] & 63, q[j+4] & 63
	}
	return q[j+4]&15 | q[j-4]>>6<<4, q[j+4]>>4 | q[j]>>6<<4
}

func dequantQ4_K(dst []float32, b []byte) {
	d, dmin := halfAt(b, 0), halfAt(b, 2)
	scales, qs := b[4:16], b[16:]
	for j := range 4 {
		sc, m := scaleMinK4(2*j, scales)
		d1, m1 := d*float32(sc), dmin*float32(m)
		sc, m = scaleMinK4(2*j+1, scales)
		d2, m2 := d*float32(sc), dmin*float32(m)
		for l, q := range qs[32*j : 32*j+32] {
			dst[64*j+l] = float32(d1*float32(q&15)) - m1
			dst[64*j+l+32] = float32(d2*float32(q>>4)) - m2
		}
	}
}

func dequantQ5_K(dst []float32, b []byte) {
	d, dmin := halfAt(b, 0), halfAt(b, 2)
	scales, qh, qs := b[4:16], b[16:48], b[48:]
	for j := range 4 {
		sc, m := scaleMinK4(2*j, scales)
		d1, m1 := d*float32(sc), dmin*float32(m)
		sc, m = scaleMinK4(2*j+1, scales)
		d2, m2 := d*float32(sc), dmin*float32(m)
		for l, q := range qs[32*j : 32*j+32] {
			lo := q&15 | qh[l]>>(2*j)&1<<4
			hi := q>>4 | qh[l]>>(2*j+1)&1<<4
			dst[64*j+l] = float32(d1*float32(lo)) - m1
			dst[64*j+l+32] = float32(d2*float32(hi)) - m2
		}
	}
}

func dequantQ6_K(dst []float32, b []byte) {
	ql, qh, scales := b[:128], b[128:192], b[192:208]
	d := halfAt(b, 208)
	for h := range 2 {
		y, ql, qh, sc := dst[128*h:], ql[64*h:], qh[32*h:], scales[8*h:]
		for l := range 32 {
			is := l / 16
			q1 := int8(ql[l]&15|qh[l]>>0&3<<4) - 32
			q2 := int8(ql[l+32]&15|qh[l]>>2&3<<4) - 32
			q3 := int8(ql[l]>>4|qh[l]>>4&3<<4) - 32
			q4 := int8(ql[l+32]>>4|qh[l]>>6&3<<4) - 32
			y[l] = d * float32(int8(sc[is])) * float32(q1)
			y[l+32] = d * float32(int8(sc[is+2])) * float32(q2)
			y[l+64] = d * float32(int8(sc[is+4])) * float32(q3)
			y[l+96] = d * float32(int8(sc[is+6])) * float32(q4)
		}
	}
}

func quantQ8_0(b []byte, x []float32) {
	var top float32
	for _, v := range x {
		top = max(top, float32(math.Abs(float64(v))))
	}
	d := top / 127
	var id float32
	if d != 0 {
		id = 1 / d
	}
	binary.LittleEndian.PutUint16(b, floatToHalf(d))
	for i, v := range x {
		b[2+i] = byte(int8(math.Round(float64(v * id))))
	}
}

func quantQ4_0(b []byte, x []float32) {
	var top, signed float32
	for _, v := range x {
		if a := float32(math.Abs(float64(v))); a > top {
			top, signed = a, v
		}
	}
	d := signed / -8
	var id float32
	if d != 0 {
		id = 1 / d
	}
	binary.LittleEndian.PutUint16(b, floatToHalf(d))
	for i := range 16 {
		lo := min(15, int8(float32(x[i]*id)+8.5))
		hi := min(15, int8(float32(x[i+16]*id)+8.5))
		b[2+i] = byte(lo) | byte(hi)<<4
	}
}
