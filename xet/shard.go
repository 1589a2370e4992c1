package xet

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/pantryhub/pantry/hub"
)

// Term is a run of consecutive chunks of one xorb.
type Term struct {
	Xorb       hub.XetHash
	Start, End uint32 // chunks [Start, End) of the xorb
	Size       uint32 // raw bytes in them
}

// Shard describes files and xorbs to another machine.
type Shard struct {
	Files []ShardFile
	Xorbs []ShardXorb

	// Footer is nil in the shards that newer clients upload.
	Footer *ShardFooter
}

// ShardFile is a file: the terms that make it up.
type ShardFile struct {
	Hash  hub.XetHash
	Terms []Term

	// Verification has the RangeHash of each term, or is nil.
	Verification []hub.XetHash

	// SHA256 is zero if the uploader did not compute it.
	SHA256 hub.SHA256
}

// Size is the number of bytes of the file.
func (f *ShardFile) Size() int64 {
	var n int64
	for i := range f.Terms {
		n += int64(f.Terms[i].Size)
	}
	return n
}

// ShardXorb is a xorb: its chunks.
type ShardXorb struct {
	Hash   hub.XetHash
	Raw    uint32 // raw bytes in all chunks
	Stored uint32 // bytes on disk where the shard was made, or 0; never rely on it
	Chunks []ShardChunk
}

// ShardChunk is a chunk of a xorb.
type ShardChunk struct {
	Hash        hub.XetHash
	Offset      uint32 // raw offset in the xorb
	Size        uint32
	GlobalDedup bool // asks for the chunk to be in the global dedup index
}

// ShardFooter is the part of the footer that means something.
type ShardFooter struct {
	Key     hub.XetHash // chunk hashes are HMACs under this key, unless it is zero
	Created uint64      // seconds since 1970
	Expires uint64      // of the key; seconds since 1970
}

// The layout. Everything is little endian, and every record has 48 bytes.
const (
	shardVersion  = 2
	footerVersion = 1
	recordSize    = 48
	footerSize    = 200

	flagVerification = 1 << 31 // of a file
	flagMetadata     = 1 << 30 // of a file
	flagGlobalDedup  = 1 << 31 // of a chunk
)

// shardMagic begins every shard.
var shardMagic = [32]byte([]byte("HFRepoMetaData\x00Ui" + "gEj{\x81W\x83\xa5\xbd\xd9\x5c\xcd\xd1\x4a\xa9"))

// bookend ends a section: a hash that no file and no xorb has.
var bookend = func() (h hub.XetHash) {
	for i := range h {
		h[i] = 0xff
	}
	return h
}()

// swapSHA256 turns a digest into the field of a shard and back. Clients parse
// its hex text as a Xet hash, whose text form reverses groups of eight bytes.
func swapSHA256(h [32]byte) (swapped [32]byte) {
	for i := range h {
		swapped[i] = h[i&^7|(7-i&7)]
	}
	return swapped
}

// ReadShard parses a shard of at most limit bytes from r, which it reads to its
// end. The footer, if there is one, tells only what ShardFooter holds: lookup
// tables and offsets are skipped. Errors about the content wrap ErrCorrupt.
func ReadShard(r io.Reader, limit int64) (*Shard, error) {
	in := &shardReader{r: bufio.NewReaderSize(r, 64<<10), left: limit}
	s, err := in.shard()
	if err != nil {
		return nil, fmt.Errorf("read shard: %w", err)
	}
	return s, nil
}

// shardReader reads records and counts what it may still read.
type shardReader struct {
	r    *bufio.Reader
	left int64
	buf  [footerSize]byte
}

func (in *shardReader) next(n int) ([]byte, error) {
	if in.left -= int64(n); in.left < 0 {
		return nil, corruptf("it is too large")
	}
	if _, err := io.ReadFull(in.r, in.buf[:n]); err != nil {
		return nil, endedEarly(err)
	}
	return in.buf[:n], nil
}

func (in *shardReader) shard() (*Shard, error) {
	head, err := in.next(recordSize)
	if err != nil {
		return nil, err
	}
	if [32]byte(head) != shardMagic {
		return nil, corruptf("not a Xet shard")
	}
	if v := binary.LittleEndian.Uint64(head[32:]); v != shardVersion {
		return nil, corruptf("shard version %d", v)
	}
	footer := binary.LittleEndian.Uint64(head[40:])
	if footer != 0 && footer != footerSize {
		return nil, corruptf("footer of %d bytes", footer)
	}

	s := &Shard{}
	for {
		f, err := in.file()
		if err != nil {
			return nil, fmt.Errorf("file %d: %w", len(s.Files), err)
		}
		if f == nil {
			break
		}
		s.Files = append(s.Files, *f)
	}
	for {
		x, err := in.xorb()
		if err != nil {
			return nil, fmt.Errorf("xorb %d: %w", len(s.Xorbs), err)
		}
		if x == nil {
			break
		}
		s.Xorbs = append(s.Xorbs, *x)
	}
	if s.Footer, err = in.footer(footer != 0); err != nil {
		return nil, err
	}
	return s, nil
}

// preallocate bounds how much is allocated on the word of a count in the input:
// the rest grows as records really come.
func preallocate(n uint32) int { return int(min(n, 1024)) }

// file reads one file, or nil at the end of the section.
func (in *shardReader) file() (*ShardFile, error) {
	rec, err := in.next(recordSize)
	if err != nil {
		return nil, err
	}
	f := &ShardFile{Hash: hub.XetHash(rec[:32])}
	if f.Hash == bookend {
		return nil, nil
	}
	flags, n := binary.LittleEndian.Uint32(rec[32:]), binary.LittleEndian.Uint32(rec[36:])
	if int64(n)*recordSize > in.left {
		return nil, corruptf("%d terms", n)
	}
	f.Terms = make([]Term, 0, preallocate(n))
	for range n {
		if rec, err = in.next(recordSize); err != nil {
			return nil, err
		}
		f.Terms = append(f.Terms, Term{
			Xorb:  hub.XetHash(rec[:32]),
			Size:  binary.LittleEndian.Uint32(rec[36:]),
			Start: binary.LittleEndian.Uint32(rec[40:]),
			End:   binary.LittleEndian.Uint32(rec[44:]),
		})
	}
	if flags&flagVerification != 0 {
		f.Verification = make([]hub.XetHash, 0, preallocate(n))
		for range n {
			if rec, err = in.next(recordSize); err != nil {
				return nil, err
			}
			f.Verification = append(f.Verification, hub.XetHash(rec[:32]))
		}
	}
	if flags&flagMetadata != 0 {
		if rec, err = in.next(recordSize); err != nil {
			return nil, err
		}
		f.SHA256 = swapSHA256([32]byte(rec[:32]))
	}
	return f, nil
}

// xorb reads one xorb, or nil at the end of the section.
func (in *shardReader) xorb() (*ShardXorb, error) {
	rec, err := in.next(recordSize)
	if err != nil {
		return nil, err
	}
	x := &ShardXorb{
		Hash:   hub.XetHash(rec[:32]),
		Raw:    binary.LittleEndian.Uint32(rec[40:]),
		Stored: binary.LittleEndian.Uint32(rec[44:]),
	}
	if x.Hash == bookend {
		return nil, nil
	}
	n := binary.LittleEndian.Uint32(rec[36:])
	if n > MaxXorbChunks {
		return nil, corruptf("%d chunks", n)
	}
	x.Chunks = make([]ShardChunk, 0, preallocate(n))
	for range n {
		if rec, err = in.next(recordSize); err != nil {
			return nil, err
		}
		x.Chunks = append(x.Chunks, ShardChunk{
			Hash:        hub.XetHash(rec[:32]),
			Offset:      binary.LittleEndian.Uint32(rec[32:]),
			Size:        binary.LittleEndian.Uint32(rec[36:]),
			GlobalDedup: binary.LittleEndian.Uint32(rec[40:])&flagGlobalDedup != 0,
		})
	}
	return x, nil
}

// footer skips to the footer, the last bytes of the input, and reads it.
func (in *shardReader) footer(present bool) (*ShardFooter, error) {
	if !present {
		return nil, in.drain()
	}
	for {
		last, err := in.r.Peek(footerSize + 1)
		if err == nil {
			n := min(in.r.Buffered()-footerSize, int(in.left))
			if n <= 0 {
				return nil, corruptf("it is too large")
			}
			in.left -= int64(n)
			in.r.Discard(n)
			continue
		}
		if !errors.Is(err, io.EOF) {
			return nil, err
		}
		if len(last) < footerSize {
			return nil, corruptf("no footer")
		}
		if v := binary.LittleEndian.Uint64(last); v != footerVersion {
			return nil, corruptf("footer version %d", v)
		}
		return &ShardFooter{
			Key:     hub.XetHash(last[72:104]),
			Created: binary.LittleEndian.Uint64(last[104:]),
			Expires: binary.LittleEndian.Uint64(last[112:]),
		}, nil
	}
}

// drain reads what an uploader sends behind the sections all the same.
func (in *shardReader) drain() error {
	n, err := io.Copy(io.Discard, io.LimitReader(in.r, in.left+1))
	if err == nil && n > in.left {
		return corruptf("it is too large")
	}
	return err
}

// AppendUpload appends the form in which a client uploads the shard: without a
// footer, as today's clients do. Files must have their Verification.
func (s *Shard) AppendUpload(dst []byte) []byte {
	return s.appendSections(s.appendHeader(dst, 0))
}

// AppendDedup appends the form in which a server answers a dedup query: no
// files, and a footer with the key under which the chunk hashes have been
// hidden (see Hide). Its lookup tables are empty but lie at the end of the xorb
// section: clients take their position for the end of that section, and see no
// chunks if it is zero.
func (s *Shard) AppendDedup(dst []byte, f ShardFooter) []byte {
	start := len(dst)
	xorbs := &Shard{Xorbs: s.Xorbs}
	dst = xorbs.appendSections(xorbs.appendHeader(dst, footerSize))
	at := uint64(len(dst) - start)

	var foot [footerSize]byte
	put := func(off int, v uint64) { binary.LittleEndian.PutUint64(foot[off:], v) }
	put(0, footerVersion)
	put(8, recordSize)    // file section
	put(16, 2*recordSize) // xorb section, behind the bookend of no files
	put(24, at)           // three empty lookup tables
	put(40, at)
	put(56, at)
	copy(foot[72:], f.Key[:])
	put(104, f.Created)
	put(112, f.Expires)
	for i := range s.Xorbs {
		put(168, binary.LittleEndian.Uint64(foot[168:])+uint64(s.Xorbs[i].Stored))
		put(184, binary.LittleEndian.Uint64(foot[184:])+uint64(s.Xorbs[i].Raw))
	}
	put(192, at)
	return append(dst, foot[:]...)
}

// Hide replaces every chunk hash by its HMAC, so that the shard tells only those
// who know a chunk that it exists.
func (s *Shard) Hide(key hub.XetHash) {
	for i := range s.Xorbs {
		for j := range s.Xorbs[i].Chunks {
			c := &s.Xorbs[i].Chunks[j]
			c.Hash = HMAC(c.Hash, key)
		}
	}
}

func (s *Shard) appendHeader(dst []byte, footer uint64) []byte {
	dst = append(dst, shardMagic[:]...)
	dst = binary.LittleEndian.AppendUint64(dst, shardVersion)
	return binary.LittleEndian.AppendUint64(dst, footer)
}

func (s *Shard) appendSections(dst []byte) []byte {
	for i := range s.Files {
		dst = s.Files[i].append(dst)
	}
	dst = appendRecord(dst, bookend)
	for i := range s.Xorbs {
		dst = s.Xorbs[i].append(dst)
	}
	return appendRecord(dst, bookend)
}

// appendRecord appends a record of a hash and up to four numbers.
func appendRecord(dst []byte, h [32]byte, fields ...uint32) []byte {
	dst = append(dst, h[:]...)
	var rest [4]uint32
	copy(rest[:], fields)
	for _, v := range rest {
		dst = binary.LittleEndian.AppendUint32(dst, v)
	}
	return dst
}

func (f *ShardFile) append(dst []byte) []byte {
	var flags uint32
	if f.Verification != nil {
		flags |= flagVerification
	}
	if !f.SHA256.IsZero() {
		flags |= flagMetadata
	}
	dst = appendRecord(dst, f.Hash, flags, uint32(len(f.Terms)))
	for _, t := range f.Terms {
		dst = appendRecord(dst, t.Xorb, 0, t.Size, t.Start, t.End)
	}
	for _, h := range f.Verification {
		dst = appendRecord(dst, h)
	}
	if flags&flagMetadata != 0 {
		dst = appendRecord(dst, swapSHA256(f.SHA256))
	}
	return dst
}

func (x *ShardXorb) append(dst []byte) []byte {
	dst = appendRecord(dst, x.Hash, 0, uint32(len(x.Chunks)), x.Raw, x.Stored)
	for _, c := range x.Chunks {
		var flags uint32
		if c.GlobalDedup {
			flags = flagGlobalDedup
		}
		dst = appendRecord(dst, c.Hash, c.Offset, c.Size, flags)
	}
	return dst
}

// ShardXorb describes the xorb of an index as a shard does.
func (x *Index) ShardXorb(name hub.XetHash) ShardXorb {
	s := ShardXorb{Hash: name, Raw: uint32(x.RawSize()), Stored: uint32(x.Size()), Chunks: make([]ShardChunk, x.Len())}
	for i := range s.Chunks {
		c := x.Chunk(i)
		s.Chunks[i] = ShardChunk{Hash: c.Hash, Offset: c.RawOffset, Size: uint32(c.Raw)}
	}
	return s
}
