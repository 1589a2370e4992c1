package xet

import (
	"encoding/binary"
	"slices"

	"github.com/pantryhub/pantry/hub"
)

// Limits of a xorb, in bytes and chunks. Clients differ on what the 64 MiB
// count: the Rust client means the sum of the chunks, the JavaScript client the
// stored records.
const (
	MaxXorbRaw    = 64 << 20 // of the xorbs written here
	MaxXorbChunks = 8192
	MaxXorbBody   = MaxXorbRaw + MaxXorbChunks*HeaderSize // of the records of any xorb
	MaxXorbUpload = MaxXorbBody + maxFooter               // with the footer that older clients send
)

// Index says where the chunks of a stored xorb are: in the sequence of raw
// bytes, and in the sequence of records. The latter depends on how whoever
// stored it compressed it. An Index is built by Add and then only read; reading
// is safe for concurrent use.
type Index struct {
	entries []entry
}

type entry struct {
	hash   hub.XetHash
	rawEnd uint32
	end    uint32
	scheme Scheme
}

// Chunk describes one chunk of a stored xorb.
type Chunk struct {
	Hash      hub.XetHash
	RawOffset uint32 // in the sequence of raw bytes
	Offset    uint32 // of the record's header in the sequence of records
	Header
}

// Add appends a chunk. It fails if the xorb would pass the limits of the format.
func (x *Index) Add(h hub.XetHash, head Header) error {
	rawEnd, end := x.RawSize(), x.Size()
	switch {
	case len(x.entries) == MaxXorbChunks:
		return corruptf("xorb of over %d chunks", MaxXorbChunks)
	case end+int64(head.Payload)+HeaderSize > MaxXorbBody:
		return corruptf("xorb of over %d bytes", MaxXorbBody)
	}
	x.entries = append(x.entries, entry{
		hash:   h,
		rawEnd: uint32(rawEnd) + uint32(head.Raw),
		end:    uint32(end) + HeaderSize + uint32(head.Payload),
		scheme: head.Scheme,
	})
	return nil
}

// Len is the number of chunks.
func (x *Index) Len() int { return len(x.entries) }

// RawSize is the number of bytes that the chunks hold.
func (x *Index) RawSize() int64 { return x.RawOffset(len(x.entries)) }

// Size is the size of the stored records.
func (x *Index) Size() int64 { return x.Offset(len(x.entries)) }

// RawOffset is where chunk i begins in the sequence of raw bytes; the total for
// i = Len().
func (x *Index) RawOffset(i int) int64 {
	if i == 0 {
		return 0
	}
	return int64(x.entries[i-1].rawEnd)
}

// Offset is where the record of chunk i begins; the total for i = Len().
func (x *Index) Offset(i int) int64 {
	if i == 0 {
		return 0
	}
	return int64(x.entries[i-1].end)
}

// Hash is the hash of chunk i.
func (x *Index) Hash(i int) hub.XetHash { return x.entries[i].hash }

// Chunk describes chunk i.
func (x *Index) Chunk(i int) Chunk {
	raw, off := x.RawOffset(i), x.Offset(i)
	e := &x.entries[i]
	return Chunk{
		Hash:      e.hash,
		RawOffset: uint32(raw),
		Offset:    uint32(off),
		Header: Header{
			Payload: int(int64(e.end)-off) - HeaderSize,
			Raw:     int(int64(e.rawEnd) - raw),
			Scheme:  e.scheme,
		},
	}
}

// Find is the chunk that holds the raw byte at the given offset, Len() if it is
// beyond the end.
func (x *Index) Find(raw int64) int {
	i, _ := slices.BinarySearchFunc(x.entries, raw, func(e entry, raw int64) int {
		if int64(e.rawEnd) <= raw {
			return -1
		}
		return 1
	})
	return i
}

// RangeHash is the verification hash of chunks [start, end).
func (x *Index) RangeHash(start, end int) hub.XetHash {
	hashes := make([]hub.XetHash, 0, end-start)
	for i := start; i < end; i++ {
		hashes = append(hashes, x.entries[i].hash)
	}
	return RangeHash(hashes)
}

// XorbHash computes the name of the xorb from its chunks.
func (x *Index) XorbHash() hub.XetHash {
	var a Aggregator
	for i := range x.entries {
		a.Add(x.entries[i].hash, uint64(x.RawOffset(i+1)-x.RawOffset(i)))
	}
	return a.Sum()
}

// indexVersion begins the binary form of an Index.
const indexVersion = 1

// AppendBinary appends a compact form: the hashes, then the sizes and scheme of
// each chunk. About 38 bytes per chunk.
func (x *Index) AppendBinary(dst []byte) []byte {
	dst = slices.Grow(dst, 4+len(x.entries)*(len(hub.XetHash{})+6))
	dst = append(dst, indexVersion)
	dst = binary.AppendUvarint(dst, uint64(len(x.entries)))
	for i := range x.entries {
		dst = append(dst, x.entries[i].hash[:]...)
	}
	for i := range x.entries {
		c := x.Chunk(i)
		dst = binary.AppendUvarint(dst, uint64(c.Raw)<<2|uint64(c.Scheme))
		if c.Scheme != Stored {
			dst = binary.AppendUvarint(dst, uint64(c.Payload))
		}
	}
	return dst
}

// ParseIndex parses what AppendBinary appended. It must be all of b.
func ParseIndex(b []byte) (*Index, error) {
	if len(b) == 0 || b[0] != indexVersion {
		return nil, corruptf("xorb index version")
	}
	n, b, err := cutUvarint(b[1:])
	const hashSize = len(hub.XetHash{})
	if err != nil || n > MaxXorbChunks || uint64(len(b)) < n*uint64(hashSize) {
		return nil, corruptf("xorb index of %d chunks in %d bytes", n, len(b))
	}
	hashes, b := b[:n*uint64(hashSize)], b[n*uint64(hashSize):]
	x := &Index{entries: make([]entry, 0, n)}
	for range n {
		var head Header
		if head, b, err = cutSizes(b); err != nil {
			return nil, err
		}
		if err := x.Add(hub.XetHash(hashes[:hashSize]), head); err != nil {
			return nil, err
		}
		hashes = hashes[hashSize:]
	}
	if len(b) > 0 {
		return nil, corruptf("%d bytes after a xorb index", len(b))
	}
	return x, nil
}

func cutSizes(b []byte) (Header, []byte, error) {
	v, b, err := cutUvarint(b)
	if err != nil {
		return Header{}, nil, err
	}
	raw, scheme := v>>2, Scheme(v&3)
	payload := raw
	if scheme != Stored {
		if payload, b, err = cutUvarint(b); err != nil {
			return Header{}, nil, err
		}
	}
	if raw == 0 || raw > MaxChunk || payload == 0 || payload > maxPayload || scheme >= schemes {
		return Header{}, nil, corruptf("xorb index: chunk of %d bytes in %d", raw, payload)
	}
	return Header{Payload: int(payload), Raw: int(raw), Scheme: scheme}, b, nil
}

func cutUvarint(b []byte) (uint64, []byte, error) {
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, corruptf("varint")
	}
	return v, b[n:], nil
}
