package kernel

import "os"

// level is a set of instructions that vector code is written for. Each includes
// the ones before.
type level uint8

// levelPortable is plain Go.
const levelPortable level = 0

// active is the level that kernels run at: the processor's, or a lower one named
// by PANTRY_KERNEL (portable; avx2, avx512, vnni; neon). Tests of this package lower it
// to run every level.
var active = detect()

func detect() level {
	l := processor()
	if limit, ok := levelNames[os.Getenv("PANTRY_KERNEL")]; ok {
		l = min(l, limit)
	}
	return l
}
