package kernel

// level is a set of instructions that vector code is written for. Each includes
// the ones before.
type level uint8

const (
	levelPortable level = iota // plain Go
	levelAVX2                  // AVX2, FMA, F16C and BMI2
	levelAVX512                // AVX-512 F, BW, DQ and VL
	levelVNNI                  // AVX-512 VNNI
)

// active is the level that kernels run at: the processor's, or a lower one named
// by PANTRY_KERNEL (portable, avx2, avx512). Tests of this package lower it to
// run every level.
var active = detect()

var levelNames = map[string]level{"portable": levelPortable, "avx2": levelAVX2, "avx512": levelAVX512, "vnni": levelVNNI}
