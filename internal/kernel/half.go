package kernel

import (
	"math"
	"unsafe"
)

// F16ToF32 widens IEEE binary16 numbers, exactly. dst and src have the same
// length.
func F16ToF32(dst []float32, src []uint16) {
	dst = dst[:len(src)]
	for ; len(src) > longest; dst, src = dst[longest:], src[longest:] {
		F16ToF32(dst[:longest], src[:longest])
	}
	for i := vectorF16ToF32(dst, src); i < len(src); i++ {
		dst[i] = halfToFloat(src[i])
	}
}

// F32ToF16 narrows to IEEE binary16, to nearest, ties to even. dst and src have
// the same length.
func F32ToF16(dst []uint16, src []float32) {
	dst = dst[:len(src)]
	for ; len(src) > longest; dst, src = dst[longest:], src[longest:] {
		F32ToF16(dst[:longest], src[:longest])
	}
	for i := vectorF32ToF16(dst, src); i < len(src); i++ {
		dst[i] = floatToHalf(src[i])
	}
}

// BF16ToF32 widens bfloat16 numbers, exactly. dst and src have the same length.
func BF16ToF32(dst []float32, src []uint16) {
	dst = dst[:len(src)]
	for ; len(src) > longest; dst, src = dst[longest:], src[longest:] {
		BF16ToF32(dst[:longest], src[:longest])
	}
	for i := vectorBF16ToF32(dst, src); i < len(src); i++ {
		dst[i] = math.Float32frombits(uint32(src[i]) << 16)
	}
}

// F32ToBF16 narrows to bfloat16, to nearest, ties to even. dst and src have the
// same length.
func F32ToBF16(dst []uint16, src []float32) {
	dst = dst[:len(src)]
	for i, f := range src {
		dst[i] = floatToBF16(f)
	}
}

func halfToFloat(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exp := uint32(h>>10) & 31
	frac := uint32(h & 1023)
	switch exp {
	case 0: // zero and subnormals: frac · 2⁻²⁴
		f := math.Float32bits(float32(frac) * 0x1p-24)
		return math.Float32frombits(sign | f)
	case 31:
		if frac != 0 {
			frac |= 1 << 9 // quiet, as the hardware does
		}
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

func floatToHalf(f float32) uint16 {
	bits := math.Float32bits(f)
	sign := uint16(bits>>16) & 0x8000
	bits &= 0x7fffffff
	switch {
	case bits > 0x7f800000: // NaN, quiet
		return sign | 0x7e00 | uint16(bits>>13)&0x3ff
	case bits >= 0x47800000: // 65536 and up
		return sign | 0x7c00
	case bits < 0x38800000: // below the smallest normal: round |f| · 2²⁴ to an integer
		return sign | uint16(math.RoundToEven(float64(math.Float32frombits(bits))*0x1p24))
	}
	// Adding half an ulp less one, plus the last kept bit, rounds to even; a
	// carry runs into the exponent and, from 65520, into infinity.
	bits += 0xfff + bits>>13&1
	return sign | uint16((bits-112<<23)>>13)
}

func floatToBF16(f float32) uint16 {
	bits := math.Float32bits(f)
	if bits&0x7fffffff > 0x7f800000 {
		return uint16(bits>>16) | 0x40
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}

// widen reads stored F32, F16 or BF16 elements, at any alignment. Like the
// products, which use weights where they lie, it is for little-endian machines.
func widen(t Type, dst []float32, src []byte) {
	if len(src) == 0 {
		return
	}
	switch halves := unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(src))), len(src)/2); t {
	case F32:
		copy(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(dst))), len(src)), src)
	case F16:
		F16ToF32(dst, halves)
	case BF16:
		BF16ToF32(dst, halves)
	}
}

// narrow stores elements as F32, F16 or BF16, at any alignment.
func narrow(t Type, dst []byte, src []float32) {
	if len(dst) == 0 {
		return
	}
	switch halves := unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(dst))), len(dst)/2); t {
	case F32:
		copy(dst, unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(src))), len(dst)))
	case F16:
		F32ToF16(halves, src)
	case BF16:
		F32ToBF16(halves, src)
	}
}
