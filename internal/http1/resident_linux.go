package http1

import (
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// Memory is asked about by region: to ask about a page costs almost as much as
// about a hundred.
const (
	regionBits = 21 // 2 MiB
	regions    = 4096
)

// inMemory remembers which regions were in memory, each with the second in which
// it was seen: the number of a region above that of the second. It is a hint. A
// region may have left since, or be another file's: then a write blocks that was
// not meant to.
var inMemory [regions]atomic.Uint64

const secondBits = 64 - (48 - regionBits) // addresses have 48 bits

// resident reports whether pieces are in memory: the write of one that must be
// read from a disk blocks.
func resident(pieces net.Buffers) bool {
	second := uint64(time.Now().Unix()) & (1<<secondBits - 1)
	for _, p := range pieces {
		if len(p) == 0 {
			continue
		}
		from := uintptr(unsafe.Pointer(&p[0]))
		to := from + uintptr(len(p))
		for region := from >> regionBits; region <= (to-1)>>regionBits; region++ {
			slot, seen := &inMemory[region%regions], uint64(region)<<secondBits|second
			if slot.Load() == seen {
				continue
			}
			start := region << regionBits
			if askResident(start, start+1<<regionBits) {
				slot.Store(seen)
			} else if !askResident(max(from, start), min(to, start+1<<regionBits)) {
				return false
			}
		}
	}
	return true
}

var pageSize = uintptr(os.Getpagesize())

// pageBytes are what mincore answers.
var pageBytes = sync.Pool{New: func() any { return new([1<<regionBits>>12 + 1]byte) }}

// askResident reports whether every page of [from, to) is in memory. The memory
// may be anything's, or nothing's.
func askResident(from, to uintptr) bool {
	from &^= pageSize - 1
	answer := pageBytes.Get().(*[1<<regionBits>>12 + 1]byte)
	defer pageBytes.Put(answer)
	if _, _, errno := syscall.RawSyscall(syscall.SYS_MINCORE, from, to-from, uintptr(unsafe.Pointer(answer))); errno != 0 {
		return false
	}
	for _, page := range answer[:(to-from+pageSize-1)/pageSize] {
		if page&1 == 0 {
			return false
		}
	}
	return true
}
