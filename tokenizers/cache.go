package tokenizers

// piece is a token of a word: the bytes [from, to) of the word became id.
type piece struct {
	id       ID
	from, to int32
}

// Bounds of a word cache: about 1.3 MB.
const (
	cacheSlots    = 1 << 14
	cacheKeyBytes = 384 << 10
	cachePieces   = 48 << 10
	maxCachedWord = 96 // bytes; longer words are rarely seen twice
)

// wordCache remembers the tokens of words. It belongs to one running Encode;
// when it is full it starts again.
type wordCache struct {
	slots  []cacheSlot
	keys   []byte
	pieces []piece
}

type cacheSlot struct {
	check uint32 // upper half of the hash
	key   uint32 // in keys
	first uint32 // in pieces
	size  uint8  // of the key; 0 for an empty slot
	count uint8  // of pieces
}

// find returns the pieces of a word, and the hash to put them under.
func (c *wordCache) find(word []byte) (pieces []piece, hash uint64, ok bool) {
	hash = hashBytes(word)
	if c.slots == nil {
		return nil, hash, false
	}
	at := hash & (cacheSlots - 1)
	for way := range uint64(2) {
		s := &c.slots[at^way]
		if s.check == uint32(hash>>32) && int(s.size) == len(word) && string(c.keys[s.key:int(s.key)+len(word)]) == string(word) {
			return c.pieces[s.first : s.first+uint32(s.count)], hash, true
		}
	}
	return nil, hash, false
}

// put remembers the pieces of a word of at most maxCachedWord bytes.
func (c *wordCache) put(word []byte, hash uint64, pieces []piece) {
	if len(pieces) > 255 || len(word) == 0 {
		return
	}
	switch {
	case c.slots == nil:
		c.slots = make([]cacheSlot, cacheSlots)
	case len(c.keys)+len(word) > cacheKeyBytes || len(c.pieces)+len(pieces) > cachePieces:
		clear(c.slots)
		c.keys, c.pieces = c.keys[:0], c.pieces[:0]
	}
	at := hash & (cacheSlots - 1)
	if c.slots[at].size != 0 && c.slots[at^1].size == 0 {
		at ^= 1
	}
	c.slots[at] = cacheSlot{
		check: uint32(hash >> 32), key: uint32(len(c.keys)), first: uint32(len(c.pieces)),
		size: uint8(len(word)), count: uint8(len(pieces)),
	}
	c.keys = append(c.keys, word...)
	c.pieces = append(c.pieces, pieces...)
}
