package git

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"slices"

	"github.com/klauspost/compress/zlib"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/store"
)

// PackWriter writes a pack file (version 2) without deltas, copying the streams
// of rows as they are. Writing stops at the first error, which every later call
// returns.
type PackWriter struct {
	out     *bufio.Writer
	sum     hash.Hash // of all that was written
	crc     uint32    // of the current entry
	offset  int64
	entries []packEntry
	err     error
}

// packEntry is what an index needs of an entry.
type packEntry struct {
	oid    hub.OID
	crc    uint32
	offset int64
}

// packKinds are the type numbers of pack entries.
var packKinds = map[string]byte{KindCommit: 1, KindTree: 2, KindBlob: 3, KindTag: 4}

// NewPackWriter starts a pack of count objects.
func NewPackWriter(w io.Writer, count uint32) *PackWriter {
	p := &PackWriter{out: bufio.NewWriterSize(w, 64<<10), sum: sha1.New()}
	p.Write(packHeader(count))
	return p
}

func packHeader(count uint32) []byte {
	h := append(make([]byte, 0, 12), "PACK\x00\x00\x00\x02"...)
	return binary.BigEndian.AppendUint32(h, count)
}

// Write implements io.Writer for the bytes of an entry.
func (p *PackWriter) Write(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	n, err := p.out.Write(b)
	p.sum.Write(b[:n])
	p.crc = crc32.Update(p.crc, crc32.IEEETable, b[:n])
	p.offset += int64(n)
	p.err = err
	return n, err
}

// Add writes an inline object.
func (p *PackWriter) Add(o store.GitObject) error {
	if err := p.begin(o); err != nil {
		return err
	}
	_, err := p.Write(o.Data)
	return err
}

// AddContent writes an object whose payload, of exactly o.Size bytes, comes
// from a reader.
func (p *PackWriter) AddContent(o store.GitObject, content io.Reader) error {
	if err := p.begin(o); err != nil {
		return err
	}
	w := deflaters.Get().(*zlib.Writer)
	defer deflaters.Put(w)
	w.Reset(p)
	n, err := io.Copy(w, content)
	if err == nil && n != o.Size {
		err = fmt.Errorf("content of %d bytes, want %d", n, o.Size)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("pack %s: %w", o.OID, err)
	}
	return p.err
}

// begin writes the header of an entry: the size in groups of 4, 7, 7, … bits,
// least first, with the type in the first byte.
func (p *PackWriter) begin(o store.GitObject) error {
	kind, ok := packKinds[o.Kind]
	if !ok && p.err == nil {
		p.err = fmt.Errorf("pack %s: unknown kind %q", o.OID, o.Kind)
	}
	p.entries = append(p.entries, packEntry{oid: o.OID, offset: p.offset})
	p.endEntry(len(p.entries) - 2)
	size := uint64(o.Size)
	header := []byte{kind<<4 | byte(size&15)}
	for size >>= 4; size > 0; size >>= 7 {
		header[len(header)-1] |= 0x80
		header = append(header, byte(size&0x7f))
	}
	_, err := p.Write(header)
	return err
}

// endEntry keeps the checksum of entry i and starts that of the next.
func (p *PackWriter) endEntry(i int) {
	if i >= 0 {
		p.entries[i].crc = p.crc
	}
	p.crc = 0
}

// Close writes the trailer and returns the pack's checksum.
func (p *PackWriter) Close() ([20]byte, error) {
	p.endEntry(len(p.entries) - 1)
	sum := [20]byte(p.sum.Sum(nil))
	p.Write(sum[:])
	if p.err == nil {
		p.err = p.out.Flush()
	}
	return sum, p.err
}

// Index returns the index (version 2) of a closed pack with that checksum.
func (p *PackWriter) Index(packSum [20]byte) []byte {
	entries := slices.Clone(p.entries)
	slices.SortFunc(entries, func(a, b packEntry) int { return bytes.Compare(a.oid[:], b.oid[:]) })
	out := append(make([]byte, 0, 8+256*4+len(entries)*28+40), "\xfftOc\x00\x00\x00\x02"...)
	out = appendFanout(out, entries)
	for _, e := range entries {
		out = append(out, e.oid[:]...)
	}
	for _, e := range entries {
		out = binary.BigEndian.AppendUint32(out, e.crc)
	}
	// Offsets over 31 bits are numbers of a second table.
	const far = 1 << 31
	var farOffsets []byte
	for _, e := range entries {
		if e.offset < far {
			out = binary.BigEndian.AppendUint32(out, uint32(e.offset))
			continue
		}
		out = binary.BigEndian.AppendUint32(out, far|uint32(len(farOffsets)/8))
		farOffsets = binary.BigEndian.AppendUint64(farOffsets, uint64(e.offset))
	}
	out = append(out, farOffsets...)
	out = append(out, packSum[:]...)
	sum := sha1.Sum(out)
	return append(out, sum[:]...)
}

// appendFanout appends, for each first byte, how many ids start with it or less.
func appendFanout(out []byte, entries []packEntry) []byte {
	for first := range 256 {
		n, _ := slices.BinarySearchFunc(entries, first+1, func(e packEntry, first int) int {
			return cmp.Compare(int(e.oid[0]), first)
		})
		out = binary.BigEndian.AppendUint32(out, uint32(n))
	}
	return out
}
