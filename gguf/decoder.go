package gguf

import (
	"bufio"
	"encoding/binary"
	"io"
	"math"
)

// decoder reads values one after the other. The first error sticks: later
// reads return zero values.
type decoder struct {
	r     io.ReaderAt
	buf   *bufio.Reader
	at    int64 // offset of the next byte
	size  int64 // of the file
	kept  int64 // bytes of strings handed out
	order binary.ByteOrder
	err   error

	scratch [8]byte
}

func newDecoder(r io.ReaderAt, at, size int64) *decoder {
	d := &decoder{r: r, size: size, order: binary.LittleEndian}
	d.seek(at)
	return d
}

func (d *decoder) bigEndian()    { d.order = binary.BigEndian }
func (d *decoder) offset() int64 { return d.at }

func (d *decoder) seek(at int64) {
	d.at = at
	section := io.NewSectionReader(d.r, at, d.size-at)
	if d.buf == nil {
		d.buf = bufio.NewReaderSize(section, 64<<10)
		return
	}
	d.buf.Reset(section)
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

// bytes reads n bytes into fresh memory; the caller has bounded n.
func (d *decoder) bytes(n int64) ([]byte, error) {
	if d.err != nil {
		return nil, d.err
	}
	if n > d.size-d.at {
		d.fail(malformed("it ends early"))
		return nil, d.err
	}
	p := make([]byte, n)
	if _, err := io.ReadFull(d.buf, p); err != nil {
		d.fail(err)
		return nil, err
	}
	d.at += n
	return p, nil
}

// fixed reads up to eight bytes into the decoder's own memory, valid until the
// next read. They are zero after an error.
func (d *decoder) fixed(n int64) []byte {
	d.scratch = [8]byte{}
	if d.err == nil && n > d.size-d.at {
		d.fail(malformed("it ends early"))
	}
	if d.err != nil {
		return d.scratch[:n]
	}
	p, err := d.buf.Peek(int(n))
	if err != nil {
		d.fail(err)
		return d.scratch[:n]
	}
	copy(d.scratch[:], p)
	d.skip(n)
	return d.scratch[:n]
}

// skip steps over n bytes, seeking if they are many.
func (d *decoder) skip(n int64) {
	switch {
	case d.err != nil:
	case n < 0 || n > d.size-d.at:
		d.fail(malformed("it ends early"))
	case n > int64(d.buf.Buffered()):
		d.seek(d.at + n)
	default:
		if _, err := d.buf.Discard(int(n)); err != nil {
			d.fail(err)
			return
		}
		d.at += n
	}
}

func (d *decoder) uint32() uint32 { return d.order.Uint32(d.fixed(4)) }
func (d *decoder) uint64() uint64 { return d.order.Uint64(d.fixed(8)) }

// length reads the length of a string.
func (d *decoder) length(limit int64) int64 {
	n := d.uint64()
	if d.err == nil && n > uint64(limit) {
		d.fail(malformed("a string of %d bytes", n))
		return 0
	}
	return int64(n)
}

// text reads a string of at most limit bytes.
func (d *decoder) text(limit int64) string {
	n := d.length(limit)
	if d.kept += n; d.kept > maxKept {
		d.fail(malformed("more than %d bytes of strings", maxKept))
	}
	p, _ := d.bytes(n)
	return string(p)
}

// value reads a value; integers widen to 64 bits, arrays stay in the file.
func (d *decoder) value(t valueType) any {
	switch t {
	case typeUint8:
		return uint64(d.fixed(1)[0])
	case typeInt8:
		return int64(int8(d.fixed(1)[0]))
	case typeUint16:
		return uint64(d.order.Uint16(d.fixed(2)))
	case typeInt16:
		return int64(int16(d.order.Uint16(d.fixed(2))))
	case typeUint32:
		return uint64(d.uint32())
	case typeInt32:
		return int64(int32(d.uint32()))
	case typeFloat32:
		return float64(math.Float32frombits(d.uint32()))
	case typeBool:
		return d.fixed(1)[0] != 0
	case typeString:
		return d.text(maxString)
	case typeArray:
		return d.skipArray(1)
	case typeUint64:
		return d.uint64()
	case typeInt64:
		return int64(d.uint64())
	case typeFloat64:
		return math.Float64frombits(d.uint64())
	}
	d.fail(malformed("value type %d", t))
	return nil
}

// skipArray reads an array's type and length and steps over its elements.
func (d *decoder) skipArray(depth int) array {
	a := array{elem: valueType(d.uint32())}
	n := d.uint64()
	switch {
	case d.err != nil:
		return array{}
	case n > maxArray:
		d.fail(malformed("an array of %d elements", n))
		return array{}
	case depth > maxDepth:
		d.fail(malformed("arrays nested more than %d deep", maxDepth))
		return array{}
	}
	a.length, a.offset = int64(n), d.at
	switch size := a.elem.fixedSize(); {
	case size > 0:
		d.skip(a.length * size)
	case a.elem == typeString:
		for i := int64(0); i < a.length && d.err == nil; i++ {
			d.skip(d.length(maxString))
		}
	case a.elem == typeArray:
		for i := int64(0); i < a.length && d.err == nil; i++ {
			d.skipArray(depth + 1)
		}
	default:
		d.fail(malformed("an array of type %d", a.elem))
	}
	return a
}
