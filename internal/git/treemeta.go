package git

import (
	"encoding/binary"

	"github.com/pantryhub/pantry/hub"
)

// treeMetaVersion is the first byte of tree metadata.
const treeMetaVersion = 1

// EncodeTreeMeta encodes the sizes and large files of entries in tree order.
func EncodeTreeMeta(entries []TreeEntry) []byte {
	n := 1
	for i := range entries {
		n += 4
		if entries[i].LFS != nil {
			n += 2 + 2*32
		}
	}
	out := append(make([]byte, 0, n), treeMetaVersion)
	for i := range entries {
		e := &entries[i]
		if e.LFS == nil {
			out = binary.AppendUvarint(out, uint64(e.Size)<<1)
			continue
		}
		out = binary.AppendUvarint(out, uint64(e.LFS.Size)<<1|1)
		out = append(out, e.LFS.OID[:]...)
		out = binary.AppendUvarint(out, uint64(e.LFS.PointerSize))
		out = append(out, e.LFS.Xet[:]...)
	}
	return out
}

// DecodeTreeMeta fills in the sizes and large files of a tree's entries.
func DecodeTreeMeta(entries []TreeEntry, data []byte) error {
	if len(data) == 0 || data[0] != treeMetaVersion {
		return corruptf("tree metadata: unknown version")
	}
	d := metaDecoder{rest: data[1:]}
	for i := range entries {
		size, large := d.size()
		entries[i].Size = size
		if large {
			entries[i].LFS = d.large(size)
		}
		if d.bad || large && entries[i].IsDir() {
			return corruptf("tree metadata: bad entry %d of %d", i, len(entries))
		}
	}
	if len(d.rest) != 0 {
		return corruptf("tree metadata: %d bytes too many", len(d.rest))
	}
	return nil
}

// metaDecoder consumes tree metadata. Once bad, it stays so.
type metaDecoder struct {
	rest []byte
	slab []hub.LFSInfo // large files are allocated in runs
	bad  bool
}

// size reads a size and whether the file is large.
func (d *metaDecoder) size() (int64, bool) {
	v := d.uvarint()
	return int64(v >> 1), v&1 == 1
}

func (d *metaDecoder) large(size int64) *hub.LFSInfo {
	if len(d.slab) == 0 {
		// As many as the rest can hold, within reason.
		d.slab = make([]hub.LFSInfo, min(len(d.rest)/65+1, 256))
	}
	f := &d.slab[0]
	d.slab = d.slab[1:]
	f.Size = size
	d.bytes(f.OID[:])
	f.PointerSize = int64(d.uvarint())
	d.bytes(f.Xet[:])
	d.bad = d.bad || f.PointerSize < 0
	return f
}

func (d *metaDecoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *metaDecoder) bytes(dst []byte) {
	if len(d.rest) < len(dst) {
		d.bad, d.rest = true, nil
		return
	}
	copy(dst, d.rest)
	d.rest = d.rest[len(dst):]
}
