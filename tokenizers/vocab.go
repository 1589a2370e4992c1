package tokenizers

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// ID is the number of a token, an index into a model's embedding table.
type ID = uint32

// ErrFormat is wrapped by every error about a malformed file.
var ErrFormat = errors.New("malformed tokenizer")

// Limits of vocabularies.
const (
	maxTokens     = 1 << 24 // distinct tokens
	maxVocabBytes = 1 << 30
)

const noID = ^ID(0)

// vocab maps tokens to ids and back. Tokens lie in one string; a hash table
// holds their numbers.
type vocab struct {
	bytes   []byte
	ends    []uint32 // of token i in bytes
	ids     []ID     // of token i
	slots   []uint32 // token number + 1; 0 is empty
	byID    []uint32 // token number + 1 of an id
	tokens  int
	maxSize int // longest token in bytes
}

// newVocab makes room for about n tokens.
func newVocab(n int) *vocab {
	v := &vocab{}
	v.grow(max(n, 16))
	return v
}

func (v *vocab) grow(n int) {
	v.slots = make([]uint32, 1<<bits.Len(uint(2*n)))
	for i := range v.ends {
		*v.slot(v.token(i)) = uint32(i) + 1
	}
}

// token is the text of token number i, in place.
func (v *vocab) token(i int) []byte {
	start := uint32(0)
	if i > 0 {
		start = v.ends[i-1]
	}
	return v.bytes[start:v.ends[i]]
}

// slot is where the number of a token is or should be.
func (v *vocab) slot(token []byte) *uint32 {
	mask := uint64(len(v.slots) - 1)
	for h := hashBytes(token); ; h++ {
		s := &v.slots[h&mask]
		if *s == 0 || string(v.token(int(*s-1))) == string(token) {
			return s
		}
	}
}

// add gives a token an id. A token that is there already changes its id.
func (v *vocab) add(token []byte, id ID) error {
	if s := v.slot(token); *s != 0 {
		v.ids[*s-1] = id
		return nil
	}
	if len(v.ends) >= maxTokens || len(v.bytes)+len(token) > maxVocabBytes {
		return fmt.Errorf("%w: over %d tokens or %d bytes of them", ErrFormat, maxTokens, maxVocabBytes)
	}
	if 2*(len(v.ends)+1) > len(v.slots) {
		v.grow(2 * (len(v.ends) + 1))
	}
	*v.slot(token) = uint32(len(v.ends)) + 1
	v.bytes = append(v.bytes, token...)
	v.ends = append(v.ends, uint32(len(v.bytes)))
	v.ids = append(v.ids, id)
	v.tokens++
	v.maxSize = max(v.maxSize, len(token))
	return nil
}

// index makes the way back from ids. Ids may have gaps, but not huge ones.
func (v *vocab) index() error {
	top := -1
	for _, id := range v.ids {
		if int(id) > 4*len(v.ids)+1<<20 {
			return fmt.Errorf("%w: token id %d among %d tokens", ErrFormat, id, len(v.ids))
		}
		top = max(top, int(id))
	}
	v.byID = make([]uint32, top+1)
	for i, id := range v.ids {
		v.byID[id] = uint32(i) + 1
	}
	return nil
}

// find is the id of a token.
func (v *vocab) find(token []byte) (ID, bool) {
	if s := *v.slot(token); s != 0 {
		return v.ids[s-1], true
	}
	return 0, false
}

// text is the token with an id.
func (v *vocab) text(id ID) ([]byte, bool) {
	if int(id) >= len(v.byID) || v.byID[id] == 0 {
		return nil, false
	}
	return v.token(int(v.byID[id] - 1)), true
}

// hashBytes is a quick hash; not one against adversaries, who gain nothing but
// longer chains in a table that they alone made.
func hashBytes(p []byte) uint64 {
	const m = 0x9E3779B97F4A7C15
	h := uint64(len(p)) * m
	for len(p) >= 8 {
		h = (h ^ binary.LittleEndian.Uint64(p)) * m
		h ^= h >> 29
		p = p[8:]
	}
	var tail uint64
	switch {
	case len(p) >= 4:
		tail = uint64(binary.LittleEndian.Uint32(p)) | uint64(binary.LittleEndian.Uint32(p[len(p)-4:]))<<32
	case len(p) > 0:
		tail = uint64(p[0]) | uint64(p[len(p)/2])<<8 | uint64(p[len(p)-1])<<16
	}
	h = (h ^ tail) * m
	return h ^ h>>32
}
