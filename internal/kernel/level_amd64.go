package kernel

import "golang.org/x/sys/cpu"

const (
	levelAVX2   = levelPortable + 1 + iota // AVX2, FMA, F16C and BMI2
	levelAVX512                            // AVX-512 F, BW, DQ and VL
	levelVNNI                              // AVX-512 VNNI
)

var levelNames = map[string]level{"portable": levelPortable, "avx2": levelAVX2, "avx512": levelAVX512, "vnni": levelVNNI}

func processor() level {
	x := cpu.X86
	switch {
	case !x.HasAVX2 || !x.HasFMA || !x.HasF16C || !x.HasBMI2:
		return levelPortable
	case !x.HasAVX512F || !x.HasAVX512BW || !x.HasAVX512DQ || !x.HasAVX512VL:
		return levelAVX2
	case !x.HasAVX512VNNI:
		return levelAVX512
	}
	return levelVNNI
}
