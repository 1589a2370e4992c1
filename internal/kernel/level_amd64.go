package kernel

import (
	"os"

	"golang.org/x/sys/cpu"
)

func detect() level {
	l := processor()
	if limit, ok := levelNames[os.Getenv("PANTRY_KERNEL")]; ok {
		l = min(l, limit)
	}
	return l
}

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
