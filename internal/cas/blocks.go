package cas

import (
	"errors"
	"io"
	"slices"
	"sync"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/xet"
)

// A block is what is read at once, behind the beginning of a chunk that the
// block before left over. Its chunks are compressed two at a time, for which it
// must hold more than a few.
const blockSize = 512 << 10

type block [xet.MaxChunk + blockSize]byte

var blocks = sync.Pool{New: func() any { return new(block) }}

// maxPackers is how many uploads may have records at the same time. More of them
// than processors are of use only where storing a xorb takes long.
const maxPackers = 16

// records has room for the records of the chunks that end in a block.
type records [xet.MaxChunk + blockSize + maxEnds*xet.HeaderSize]byte

// maxEnds is how many chunks can end in a block: the first may have begun before.
const maxEnds = 2 + blockSize/xet.MinChunk

var recordPool = sync.Pool{New: func() any { return new(records) }}

// errEnd is the proper end of a reader, which a block that is not full must
// state: io.ErrUnexpectedEOF is how a client that went away looks.
var errEnd = errors.New("end of file")

// readBlock fills b, or returns errEnd.
func readBlock(r io.Reader, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var m int
		m, err = r.Read(b[n:])
		n += m
	}
	if err == io.EOF {
		err = errEnd
	}
	return n, err
}

// chunk is the bytes of a chunk and their hash.
type chunk struct {
	data []byte
	hash hub.XetHash
}

// split returns the chunks of data, and what is left.
func split(data []byte, cuts []xet.Cut) (chunks []chunk, rest []byte) {
	chunks = make([]chunk, len(cuts), len(cuts)+1)
	start := 0
	for i, c := range cuts {
		chunks[i] = chunk{data[start:c.End], c.Hash}
		start = c.End
	}
	return chunks, data[start:]
}

// longestFirst is the order in which chunks are best compressed two at a time:
// the last one has none beside it when the one before is done.
func longestFirst(chunks []chunk) []int {
	order := make([]int, len(chunks))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return len(chunks[b].data) - len(chunks[a].data) })
	return order
}
