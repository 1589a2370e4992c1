package xet

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"sync"

	"github.com/zeebo/blake3"

	"github.com/pantryhub/pantry/hub"
)

// keyedPool hands out BLAKE3 hashers of one key: making one costs more than
// hashing a small chunk.
type keyedPool struct {
	key  [32]byte
	pool sync.Pool
}

// Each use of BLAKE3 has its own key, so that no hash of one kind can pass for
// one of another.
var (
	chunkKey = newKeyedPool([32]byte{
		0x66, 0x97, 0xf5, 0x77, 0x5b, 0x95, 0x50, 0xde, 0x31, 0x35, 0xcb, 0xac, 0xa5, 0x97, 0x18, 0x1c,
		0x9d, 0xe4, 0x21, 0x10, 0x9b, 0xeb, 0x2b, 0x58, 0xb4, 0xd0, 0xb0, 0x4b, 0x93, 0xad, 0xf2, 0x29,
	})
	nodeKey = newKeyedPool([32]byte{
		0x01, 0x7e, 0xc5, 0xc7, 0xa5, 0x47, 0x29, 0x96, 0xfd, 0x94, 0x66, 0x66, 0xb4, 0x8a, 0x02, 0xe6,
		0x5d, 0xdd, 0x53, 0x6f, 0x37, 0xc7, 0x6d, 0xd2, 0xf8, 0x63, 0x52, 0xe6, 0x4a, 0x53, 0x71, 0x3f,
	})
	rangeKey = newKeyedPool([32]byte{
		0x7f, 0x18, 0x57, 0xd6, 0xce, 0x56, 0xed, 0x66, 0x12, 0x7f, 0xf9, 0x13, 0xe7, 0xa5, 0xc3, 0xf3,
		0xa4, 0xcd, 0x26, 0xd5, 0xb5, 0xdb, 0x49, 0xe6, 0x41, 0x24, 0x98, 0x7f, 0x28, 0xfb, 0x94, 0xc3,
	})
	noSaltKey = newKeyedPool([32]byte{})
)

func newKeyedPool(key [32]byte) *keyedPool {
	return &keyedPool{key, sync.Pool{New: func() any { return newKeyed(key) }}}
}

func newKeyed(key [32]byte) *blake3.Hasher {
	h, _ := blake3.NewKeyed(key[:]) // fails only for another key length
	return h
}

// sum hashes one message.
func (k *keyedPool) sum(data []byte) hub.XetHash {
	h := k.pool.Get().(*blake3.Hasher)
	defer k.pool.Put(h)
	h.Reset()
	h.Write(data)
	return finish(h)
}

func finish(h *blake3.Hasher) (sum hub.XetHash) {
	h.Sum(sum[:0])
	return sum
}

// ChunkHash is the name of a chunk with these (uncompressed) bytes.
func ChunkHash(data []byte) hub.XetHash { return chunkKey.sum(data) }

// HMAC hides h from whoever does not know both it and the key. Shards that
// answer a dedup query carry chunk hashes in this form.
func HMAC(h, key hub.XetHash) hub.XetHash {
	k := newKeyed(key)
	k.Write(h[:])
	return finish(k)
}

// RangeHash proves knowledge of the chunk hashes of a term: it is the hash of
// the concatenation of them.
func RangeHash(chunks []hub.XetHash) hub.XetHash {
	h := rangeKey.pool.Get().(*blake3.Hasher)
	defer rangeKey.pool.Put(h)
	h.Reset()
	for i := range chunks {
		h.Write(chunks[i][:])
	}
	return finish(h)
}

// lastWord is the number that every "hash mod k" rule of the format uses.
func lastWord(h hub.XetHash) uint64 { return binary.LittleEndian.Uint64(h[24:]) }

// globalDedupModulus makes about one chunk in a thousand eligible for the
// global dedup index by its hash alone.
const globalDedupModulus = 1024

// IsGlobalDedup reports whether a chunk belongs in the global dedup index on
// account of its hash. The first chunk of each file belongs there as well.
func IsGlobalDedup(h hub.XetHash) bool { return lastWord(h)%globalDedupModulus == 0 }

// Node is a chunk, or a group of them, in a Merkle tree: a hash and the number
// of file bytes under it.
type Node struct {
	Hash hub.XetHash
	Size uint64
}

// A group of nodes ends at the first node whose hash says so, but has at least
// minGroup+1 and at most maxGroup members (the last one of a level may have
// fewer).
const (
	minGroup  = 2
	maxGroup  = 9
	groupMean = 4 // a hash ends a group when it is a multiple of this
)

func endsGroup(h hub.XetHash) bool { return lastWord(h)%groupMean == 0 }

// groupLen is the length of the group that starts at nodes[0].
func groupLen(nodes []Node) int {
	if len(nodes) <= minGroup {
		return len(nodes)
	}
	longest := min(maxGroup, len(nodes))
	for i := minGroup; i < longest; i++ {
		if endsGroup(nodes[i].Hash) {
			return i + 1
		}
	}
	return longest
}

// parentOf is the node above a group.
func parentOf(group []Node) Node {
	var lines [maxGroup * 96]byte // 64 digits, " : ", up to 20 digits, newline
	text := lines[:0]
	p := Node{}
	for i := range group {
		text = appendText(text, group[i].Hash)
		text = append(text, " : "...)
		text = strconv.AppendUint(text, group[i].Size, 10)
		text = append(text, '\n')
		p.Size += group[i].Size
	}
	p.Hash = nodeKey.sum(text)
	return p
}

// appendText appends the text form of h, as h.String() without the allocation.
func appendText(dst []byte, h hub.XetHash) []byte {
	for i := 0; i < len(h); i += 8 {
		var word [8]byte
		binary.BigEndian.PutUint64(word[:], binary.LittleEndian.Uint64(h[i:]))
		dst = hex.AppendEncode(dst, word[:])
	}
	return dst
}

// Aggregator computes the Merkle hash of a sequence of chunks as they come, in
// memory that grows with the logarithm of their number. The zero value is ready
// for use.
type Aggregator struct {
	levels []level
	count  uint64
}

// level holds the nodes of one height that do not form a complete group yet.
type level struct {
	pending []Node
	total   uint64 // nodes that ever reached this level
}

// Add appends a chunk.
func (a *Aggregator) Add(h hub.XetHash, size uint64) {
	a.count++
	a.push(0, Node{h, size})
}

func (a *Aggregator) push(height int, n Node) {
	if height == len(a.levels) {
		a.levels = append(a.levels, level{pending: make([]Node, 0, maxGroup)})
	}
	l := &a.levels[height]
	l.total++
	l.pending = append(l.pending, n)
	if len(l.pending) < maxGroup && (len(l.pending) <= minGroup || !endsGroup(n.Hash)) {
		return
	}
	parent := parentOf(l.pending)
	l.pending = l.pending[:0]
	a.push(height+1, parent)
}

// Count is the number of chunks added.
func (a *Aggregator) Count() uint64 { return a.count }

// Sum is the aggregated hash of the chunks so far: a xorb's name. It is zero
// for no chunks, and the chunk's own hash for one. More may be added afterwards.
func (a *Aggregator) Sum() hub.XetHash {
	if a.count == 0 {
		return hub.XetHash{}
	}
	end := a.clone()
	for height := 0; ; height++ {
		l := &end.levels[height]
		if l.total == 1 && height == len(end.levels)-1 {
			return l.pending[0].Hash // the root: a lone node at the top is not wrapped
		}
		if len(l.pending) == 0 {
			continue
		}
		parent := parentOf(l.pending)
		l.pending = l.pending[:0]
		end.push(height+1, parent)
	}
}

// clone copies the state, so that closing the open groups does not disturb it.
func (a *Aggregator) clone() *Aggregator {
	c := &Aggregator{levels: make([]level, len(a.levels)), count: a.count}
	for i, l := range a.levels {
		c.levels[i] = level{pending: append(make([]Node, 0, maxGroup), l.pending...), total: l.total}
	}
	return c
}

// FileHash is the name of a file with the chunks so far, as the Hub uses it:
// with a salt of zeros. The empty file's is zero.
func (a *Aggregator) FileHash() hub.XetHash {
	if a.count == 0 {
		return hub.XetHash{}
	}
	sum := a.Sum()
	return noSaltKey.sum(sum[:])
}

// SaltedFileHash is FileHash under another salt.
func (a *Aggregator) SaltedFileHash(salt hub.XetHash) hub.XetHash {
	if a.count == 0 {
		return hub.XetHash{}
	}
	return HMAC(a.Sum(), salt)
}
