package xet

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"math/bits"
)

// Cutter finds the chunks and the SHA-256 of a file in one pass. Where the
// processor has instructions for SHA-256 this takes hardly longer than either
// alone. The zero value stands at the start of a file.
type Cutter struct {
	size int64 // bytes of the file seen so far

	// Without the instructions.
	chunker Chunker
	digest  hash.Hash

	// With them.
	state [8]uint32              // of the SHA-256, not set up while size is 0
	tail  [sha256.BlockSize]byte // bytes that state lacks, size % len(tail) of them
	gear  uint64
	begun int // bytes of the current chunk
}

// Cut appends to ends where chunks end in b, the bytes that follow those of the
// previous call: a chunk ends before b[end]. At the end of the file a chunk that
// has begun ends too.
func (c *Cutter) Cut(ends []int, b []byte) []int {
	if !hasSHA {
		return c.cutPortable(ends, b)
	}
	if c.size == 0 {
		c.state = sha256Start
	}
	head := min(-int(c.size)&(len(c.tail)-1), len(b))
	ends = c.bytewise(ends, b[:head], 0)
	whole := (len(b) - head) / len(c.tail) * len(c.tail)
	ends = c.blockwise(ends, b[head:head+whole], head)
	return c.bytewise(ends, b[head+whole:], head+whole)
}

// SHA256 is the hash of what was cut so far.
func (c *Cutter) SHA256() (sum [sha256.Size]byte) {
	if !hasSHA {
		if c.digest == nil {
			return sha256.Sum256(nil)
		}
		c.digest.Sum(sum[:0])
		return sum
	}
	state := c.state
	if c.size == 0 {
		state = sha256Start
	}
	n := int(c.size) & (len(c.tail) - 1)
	var last [2 * sha256.BlockSize]byte
	copy(last[:], c.tail[:n])
	last[n] = 0x80
	blocks := (n + 1 + 8 + sha256.BlockSize - 1) / sha256.BlockSize
	binary.BigEndian.PutUint64(last[sha256.BlockSize*blocks-8:], uint64(c.size)<<3)
	var ends [2]uint64
	cutSHA(&state, &last[0], blocks, &gear, 0, &ends[0])
	for i, word := range state {
		binary.BigEndian.PutUint32(sum[4*i:], word)
	}
	return sum
}

// sha256Start is the first state of a SHA-256, by FIPS 180-4.
var sha256Start = [8]uint32{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}

// cutPortable takes one pass for the chunks and one for the SHA-256.
func (c *Cutter) cutPortable(ends []int, b []byte) []int {
	if c.digest == nil {
		c.digest = sha256.New()
	}
	c.size += int64(len(b))
	c.digest.Write(b)
	for at := 0; at < len(b); {
		n, done := c.chunker.Next(b[at:])
		at += n
		if done {
			ends = append(ends, at)
		}
	}
	return ends
}

// bytewise takes bytes of a block that is not whole, which begin at a position
// that is counted from.
func (c *Cutter) bytewise(ends []int, b []byte, from int) []int {
	for i, v := range b {
		n := int(c.size) & (len(c.tail) - 1)
		c.tail[n] = v
		c.size++
		if n == len(c.tail)-1 {
			var unused uint64
			cutSHA(&c.state, &c.tail[0], 1, &gear, 0, &unused)
		}
		c.gear = c.gear<<1 + gear[v]
		c.begun++
		if c.begun == MaxChunk || c.begun >= MinChunk && c.gear < cutBelow {
			ends = append(ends, from+i+1)
			c.begun = 0
		}
	}
	return ends
}

// blockwise takes whole blocks, which begin at a position that is counted from.
func (c *Cutter) blockwise(ends []int, b []byte, from int) []int {
	c.size += int64(len(b))
	var found [256]uint64
	for len(b) > 0 {
		n := min(len(b)/sha256.BlockSize, len(found))
		c.gear = cutSHA(&c.state, &b[0], n, &gear, c.gear, &found[0])
		for _, word := range found[:n] {
			if word == 0 && c.begun+sha256.BlockSize < MaxChunk {
				c.begun += sha256.BlockSize
			} else {
				ends = c.cutBlock(ends, word, from)
			}
			from += sha256.BlockSize
		}
		b = b[n*sha256.BlockSize:]
	}
	return ends
}

// cutBlock takes a block in which a chunk may end.
func (c *Cutter) cutBlock(ends []int, word uint64, from int) []int {
	for at := 0; ; {
		candidate := at + bits.LeadingZeros64(word<<at) + 1 // beyond the block if there is none
		end := min(candidate, at+MaxChunk-c.begun)
		if end > sha256.BlockSize {
			c.begun += sha256.BlockSize - at
			return ends
		}
		c.begun += end - at
		at = end
		if c.begun >= MinChunk {
			ends = append(ends, from+at)
			c.begun = 0
		}
	}
}
