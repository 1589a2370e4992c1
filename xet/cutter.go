package xet

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"math/bits"

	"github.com/pantryhub/pantry/hub"
)

// Cutter finds the chunks of a file, their hashes and its SHA-256 in one pass.
// Where the processor has the instructions for it, that takes hardly longer than
// the SHA-256 alone. The zero value stands at the start of a file.
type Cutter struct {
	size int64 // bytes of the file seen so far

	// Without instructions for SHA-256.
	chunker Chunker
	digest  hash.Hash

	// With them.
	state [8]uint32              // of the SHA-256, not set up while size is 0
	tail  [sha256.BlockSize]byte // bytes that state lacks, size % len(tail) of them
	gear  uint64

	cuts  []Cut
	data  []byte
	start int // of the current chunk in data

	// With AVX-512 too.
	tree   *leafTree
	queued int    // leaves of the current chunk that are hashed or wait for it
	queue  []span // which wait; the first of them belong to cuts[hashed]
	hashed int
}

// Cut is where a chunk ends.
type Cut struct {
	End  int // it ends before data[End]
	Hash hub.XetHash
}

// span is leaves, a whole group or the last of a chunk.
type span struct {
	start, end int
	last       bool
}

// Cut appends to cuts the chunks that end in data. It begins with the current
// chunk, of which the first seen bytes were in the data of the call before. At
// the end of the file a chunk that has begun ends too (ChunkHash).
func (c *Cutter) Cut(cuts []Cut, data []byte, seen int) []Cut {
	if !hasSHA {
		return c.cutPortable(cuts, data, seen)
	}
	if c.size == 0 {
		c.state = sha256Start
	}
	c.cuts, c.data, c.start, c.hashed = cuts, data, 0, len(cuts)
	from := min(seen+-int(c.size)&(len(c.tail)-1), len(data))
	c.bytewise(seen, from)
	to := from + (len(data)-from)/len(c.tail)*len(c.tail)
	c.blockwise(from, to)
	c.bytewise(to, len(data))
	for len(c.queue) > 0 {
		c.hashNext()
	}
	cuts = c.cuts
	c.cuts, c.data = nil, nil
	return cuts
}

// SHA256 is the hash of the file so far.
func (c *Cutter) SHA256() (sum [sha256.Size]byte) {
	if c.size == 0 {
		return sha256.Sum256(nil)
	}
	if !hasSHA {
		c.digest.Sum(sum[:0])
		return sum
	}
	state := c.state
	var last [2 * sha256.BlockSize]byte
	n := copy(last[:], c.tail[:int(c.size)&(len(c.tail)-1)])
	last[n] = 0x80
	blocks := 1
	if n+1+8 > sha256.BlockSize {
		blocks = 2
	}
	binary.BigEndian.PutUint64(last[sha256.BlockSize*blocks-8:], uint64(c.size)<<3)
	var unused [2]uint64
	cutSHA(&state, &last[0], blocks, &gear, 0, &unused[0])
	for i, word := range state {
		binary.BigEndian.PutUint32(sum[4*i:], word)
	}
	return sum
}

// sha256Start is the first state of a SHA-256, by FIPS 180-4.
var sha256Start = [8]uint32{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}

// cutPortable takes one pass for each of the three.
func (c *Cutter) cutPortable(cuts []Cut, data []byte, seen int) []Cut {
	if c.digest == nil {
		c.digest = sha256.New()
	}
	c.size += int64(len(data) - seen)
	c.digest.Write(data[seen:])
	start := 0
	for at := seen; at < len(data); {
		n, done := c.chunker.Next(data[at:])
		at += n
		if done {
			cuts = append(cuts, Cut{at, ChunkHash(data[start:at])})
			start = at
		}
	}
	return cuts
}

// bytewise takes data[from:to], bytes of a block that is not whole.
func (c *Cutter) bytewise(from, to int) {
	for i, v := range c.data[from:to] {
		n := int(c.size) & (len(c.tail) - 1)
		c.tail[n] = v
		c.size++
		if n == len(c.tail)-1 {
			var unused uint64
			cutSHA(&c.state, &c.tail[0], 1, &gear, 0, &unused)
		}
		c.gear = c.gear<<1 + gear[v]
		end := from + i + 1
		if size := end - c.start; size == MaxChunk || size >= MinChunk && c.gear < cutBelow {
			c.end(end)
		}
	}
}

// blockwise takes data[from:to], whole blocks.
func (c *Cutter) blockwise(from, to int) {
	var found [groupLeaves * leafSteps]uint64
	for from < to {
		n := min((to-from)/sha256.BlockSize, len(found))
		c.roll(from, found[:n])
		for _, word := range found[:n] {
			next := from + sha256.BlockSize
			if word != 0 || next-c.start >= MaxChunk {
				c.cutBlock(from, word)
			}
			from = next
		}
		c.size += int64(n) * sha256.BlockSize
		c.enqueue(from)
	}
}

// roll adds blocks from data[at:] to the SHA-256 and finds where chunks may end,
// and hashes the leaves that wait longest on the side.
func (c *Cutter) roll(at int, found []uint64) {
	for len(c.queue) > 0 && c.queue[0].last {
		c.hashNext()
	}
	if len(c.queue) == 0 || len(found) < groupLeaves*leafSteps {
		c.gear = cutSHA(&c.state, &c.data[at], len(found), &gear, c.gear, &found[0])
		return
	}
	group := c.data[c.queue[0].start:c.queue[0].end]
	c.queue = c.queue[1:]
	c.tree.start(c.tree.count)
	c.gear = cutLeaves(&c.state, &c.data[at], &gear, c.gear, &found[0], &c.tree.leafGroup, &group[0], 0, leafSteps)
	c.tree.take(groupLeaves)
}

// cutBlock takes a block in which a chunk may end.
func (c *Cutter) cutBlock(from int, word uint64) {
	for at := 0; ; {
		candidate := at + bits.LeadingZeros64(word<<at) + 1 // beyond the block if there is none
		at = min(candidate, c.start+MaxChunk-from)
		if at > sha256.BlockSize {
			return
		}
		if from+at-c.start >= MinChunk {
			c.end(from + at)
		}
	}
}

// end ends the current chunk.
func (c *Cutter) end(at int) {
	cut := Cut{End: at}
	if hasAVX512 {
		c.enqueue(at)
		c.queue = append(c.queue, span{c.start + c.queued*leafSize, at, true})
		c.queued = 0
	} else {
		cut.Hash = ChunkHash(c.data[c.start:at])
	}
	c.cuts = append(c.cuts, cut)
	c.start = at
}

// enqueue has the groups hashed that the current chunk has before data[end].
func (c *Cutter) enqueue(end int) {
	if !hasAVX512 {
		return
	}
	if c.tree == nil {
		c.tree = new(leafTree)
	}
	for {
		at := c.start + c.queued*leafSize
		if at+groupSize > end {
			return
		}
		c.queue = append(c.queue, span{at, at + groupSize, false})
		c.queued += groupLeaves
	}
}

// hashNext hashes the leaves that wait longest.
func (c *Cutter) hashNext() {
	next := c.queue[0]
	c.queue = c.queue[1:]
	if b := c.data[next.start:next.end]; !next.last {
		c.tree.addGroup(b)
	} else {
		c.tree.addRest(b)
		c.cuts[c.hashed].Hash = c.tree.sum()
		c.hashed++
	}
}
