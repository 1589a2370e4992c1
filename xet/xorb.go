package xet

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/pantryhub/pantry/hub"
)

// XorbWriter packs chunks into a xorb: it compresses them, writes their records
// and keeps the index. Whether a chunk may still be added is the caller's to
// ask (Fits). Records are written in one Write each.
type XorbWriter struct {
	w     io.Writer
	enc   *Encoder
	index *Index
}

// NewXorbWriter returns a writer of a new xorb to w. The Encoder may outlive it.
func NewXorbWriter(w io.Writer, enc *Encoder) *XorbWriter {
	return &XorbWriter{w: w, enc: enc, index: &Index{}}
}

// Fits reports whether a chunk of n bytes may be added.
func (x *XorbWriter) Fits(n int) bool {
	return x.index.Len() < MaxXorbChunks && x.index.RawSize()+int64(n) <= MaxXorbRaw
}

// Add appends a chunk whose hash is h.
func (x *XorbWriter) Add(chunk []byte, h hub.XetHash) error {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	job := Job{Chunk: chunk, Record: s.record[:HeaderSize+len(chunk)]}
	x.enc.records(s, once(&job))
	return x.AddRecord(h, job.Head, job.Record)
}

// AddRecord appends a chunk whose hash is h and whose record is made already.
func (x *XorbWriter) AddRecord(h hub.XetHash, head Header, record []byte) error {
	if err := x.index.Add(h, head); err != nil {
		return err
	}
	_, err := x.w.Write(record)
	return err
}

// Index is where the chunks added so far are. It changes with Add.
func (x *XorbWriter) Index() *Index { return x.index }

// The footers that older clients append to the records of a xorb.
const (
	footerIdent = "XETBLOB"
	maxFooter   = 92 + 40*MaxXorbChunks + 4
)

// ReadXorb reads a xorb's body to its end and verifies everything about it:
// every chunk is inflated and hashed, and the limits of the format are kept. A
// footer is tolerated and ignored. It returns where the chunks are; the name of
// the xorb is for the caller to compare with XorbHash. The records, without the
// footer, are the first Index.Size() bytes of r.
//
// Errors about the body wrap ErrCorrupt; others come from r.
func ReadXorb(r io.Reader) (*Index, error) {
	v := xorbReader{r: bufio.NewReaderSize(r, 256<<10), index: &Index{}}
	for {
		more, err := v.record()
		if err != nil {
			return nil, fmt.Errorf("read xorb: chunk %d: %w", v.index.Len(), err)
		}
		if !more {
			break
		}
	}
	if v.index.Len() == 0 {
		return nil, fmt.Errorf("read xorb: %w", corruptf("no chunks"))
	}
	return v.index, nil
}

type xorbReader struct {
	r            *bufio.Reader
	index        *Index
	dec          Decoder
	payload, raw []byte
}

// record reads one record. It returns false at the end of the records.
func (v *xorbReader) record() (more bool, err error) {
	head, err := v.r.Peek(HeaderSize)
	if errors.Is(err, io.EOF) && len(head) == 0 {
		return false, nil
	}
	if len(head) >= len(footerIdent) && string(head[:len(footerIdent)]) == footerIdent {
		return false, v.skipFooter()
	}
	if err != nil {
		return false, endedEarly(err)
	}
	h, err := ParseHeader(head)
	if err != nil {
		return false, err
	}
	v.r.Discard(HeaderSize)
	v.payload = grow(v.payload, h.Payload)
	if _, err := io.ReadFull(v.r, v.payload); err != nil {
		return false, endedEarly(err)
	}
	raw := v.payload
	if h.Scheme != Stored {
		v.raw = grow(v.raw, h.Raw)
		raw = v.raw
		if err := v.dec.Decode(raw, v.payload, h.Scheme); err != nil {
			return false, err
		}
	}
	return true, v.index.Add(ChunkHash(raw), h)
}

func (v *xorbReader) skipFooter() error {
	n, err := io.Copy(io.Discard, io.LimitReader(v.r, maxFooter+1))
	if err != nil {
		return err
	}
	if n > maxFooter {
		return corruptf("footer of over %d bytes", maxFooter)
	}
	return nil
}

// endedEarly turns the end of the input into an error about it.
func endedEarly(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return corruptf("it ends early")
	}
	return err
}

// ReadChunks decodes the records of chunks [start, end), which are in records,
// and calls yield with the bytes of each, valid during the call. It checks their
// headers against the index; hashes are for those to check who do not trust
// whoever keeps the records (ReadVerified). The decoder lends its scratch space.
func (x *Index) ReadChunks(dec *Decoder, records []byte, start, end int, yield func(chunk []byte) error) error {
	base := x.Offset(start)
	for i := start; i < end; i++ {
		c := x.Chunk(i)
		at := int64(c.Offset) - base
		if at+HeaderSize+int64(c.Payload) > int64(len(records)) {
			return corruptf("record %d is beyond the bytes read", i)
		}
		record := records[at : at+HeaderSize+int64(c.Payload)]
		h, err := ParseHeader(record)
		if err != nil {
			return err
		}
		if h != c.Header {
			return corruptf("record %d has sizes %v, the index says %v", i, h, c.Header)
		}
		raw := record[HeaderSize:]
		if h.Scheme != Stored {
			dec.chunk = grow(dec.chunk, h.Raw)
			if err := dec.Decode(dec.chunk, raw, h.Scheme); err != nil {
				return err
			}
			raw = dec.chunk
		}
		if err := yield(raw); err != nil {
			return err
		}
	}
	return nil
}

// ReadVerified is ReadChunks with a check of every chunk's hash.
func (x *Index) ReadVerified(records []byte, start, end int, yield func(chunk []byte) error) error {
	i := start
	return x.ReadChunks(new(Decoder), records, start, end, func(chunk []byte) error {
		if h := x.Hash(i); ChunkHash(chunk) != h {
			return corruptf("chunk %d does not have the hash %v", i, h)
		}
		i++
		return yield(chunk)
	})
}
