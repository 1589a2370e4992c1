package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"unicode/utf8"
)

// ErrFormat is wrapped by every error about a malformed file, as opposed to
// one that could not be read.
var ErrFormat = errors.New("malformed safetensors file")

// Limits on the length of a header in bytes.
const (
	MaxHeader    = 100_000_000 // the format's own
	MaxHubHeader = 25_000_000  // what clients of a hub read
)

const (
	lengthPrefix = 8  // bytes before the header
	maxRank      = 64 // dimensions; real tensors have at most 8
	maxDimension = 1 << 48
)

// Tensor is one tensor of a file. Its bytes are [Offset, Offset+Size) of the
// file, row-major, little-endian.
type Tensor struct {
	Name   string
	DType  DType
	Shape  []int64 // empty for a scalar
	Offset int64   // from the start of the file
	Size   int64   // bytes
}

// Elements is the number of elements: the product of the shape.
func (t Tensor) Elements() int64 {
	n := int64(1)
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// Header describes a file.
type Header struct {
	Tensors  []Tensor          // in the order of their bytes
	Metadata map[string]string // the "__metadata__" entry; nil if absent
	DataAt   int64             // where the first tensor begins in the file

	byName map[string]int // index into Tensors
}

// Lookup finds a tensor by name.
func (h *Header) Lookup(name string) (Tensor, bool) {
	i, ok := h.byName[name]
	if !ok {
		return Tensor{}, false
	}
	return h.Tensors[i], true
}

// ReadHeader reads and checks the header of a file of size bytes. A header of
// more than limit bytes is refused before it is read.
func ReadHeader(r io.ReaderAt, size, limit int64) (*Header, error) {
	var prefix [lengthPrefix]byte
	if size < lengthPrefix {
		return nil, fmt.Errorf("%w: %d bytes are too few for a header", ErrFormat, size)
	}
	if err := readAt(r, prefix[:], 0); err != nil {
		return nil, fmt.Errorf("read the header's length: %w", err)
	}
	length := binary.LittleEndian.Uint64(prefix[:])
	if limit = min(limit, MaxHeader); length > uint64(limit) {
		return nil, fmt.Errorf("%w: a header of %d bytes is over the limit of %d", ErrFormat, length, limit)
	}
	if length > uint64(size-lengthPrefix) {
		return nil, fmt.Errorf("%w: a header of %d bytes in a file of %d", ErrFormat, length, size)
	}
	raw := make([]byte, length)
	if err := readAt(r, raw, lengthPrefix); err != nil {
		return nil, fmt.Errorf("read the header: %w", err)
	}
	h, err := parseHeader(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if err := h.place(lengthPrefix+int64(length), size); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return h, nil
}

// readAt fills p. A file that ends early is malformed, not unreadable.
func readAt(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case err == io.EOF:
		return fmt.Errorf("%w: it ends early", ErrFormat)
	case err == nil:
		return io.ErrNoProgress
	}
	return err
}

// parseHeader parses the JSON. Offsets are still relative to the data section.
func parseHeader(raw []byte) (*Header, error) {
	if len(raw) == 0 || raw[0] != '{' {
		return nil, errors.New("the header does not begin with {")
	}
	if !utf8.Valid(raw) {
		return nil, errors.New("the header is not UTF-8")
	}
	h := new(Header)
	o := newObjectReader(raw)
	err := o.object(func(key string) error {
		if key == "__metadata__" {
			h.Metadata = map[string]string{}
			return o.object(func(key string) error {
				value, err := o.text()
				h.Metadata[key] = value
				return err
			})
		}
		t, err := o.tensor(key)
		h.Tensors = append(h.Tensors, t)
		return err
	})
	if err != nil {
		return nil, err
	}
	if rest := bytes.TrimRight(raw[o.dec.InputOffset():], " \t\r\n"); len(rest) != 0 {
		return nil, errors.New("the header goes on after its end")
	}
	return h, nil
}

// place checks that the tensors tile the data section, and makes their offsets
// absolute.
func (h *Header) place(dataAt, size int64) error {
	slices.SortFunc(h.Tensors, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Size, b.Size), cmp.Compare(a.Name, b.Name))
	})
	h.byName = make(map[string]int, len(h.Tensors))
	var at int64
	for i := range h.Tensors {
		t := &h.Tensors[i]
		if t.Offset != at {
			return fmt.Errorf("tensor %q begins at %d, the one before ends at %d", t.Name, t.Offset, at)
		}
		at += t.Size
		if at > size {
			return fmt.Errorf("tensor %q ends behind the file", t.Name)
		}
		t.Offset += dataAt
		h.byName[t.Name] = i
	}
	if dataAt+at != size {
		return fmt.Errorf("the tensors end at %d, the file at %d", dataAt+at, size)
	}
	h.DataAt = dataAt
	return nil
}

// objectReader walks JSON of a known shape, refusing duplicate keys.
type objectReader struct {
	dec *json.Decoder
}

func newObjectReader(raw []byte) *objectReader {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	return &objectReader{dec: dec}
}

// object reads an object and calls member for each key; member reads the value.
func (o *objectReader) object(member func(key string) error) error {
	if err := o.delim('{'); err != nil {
		return err
	}
	seen := map[string]struct{}{}
	for o.dec.More() {
		key, err := o.text()
		if err != nil {
			return err
		}
		if _, dup := seen[key]; dup {
			return fmt.Errorf("duplicate key %q", key)
		}
		seen[key] = struct{}{}
		if err := member(key); err != nil {
			return err
		}
	}
	return o.delim('}')
}

func (o *objectReader) delim(want json.Delim) error {
	tok, err := o.dec.Token()
	if err != nil {
		return err
	}
	if tok != want {
		return fmt.Errorf("found %.40v instead of %v", tok, want)
	}
	return nil
}

func (o *objectReader) text() (string, error) {
	tok, err := o.dec.Token()
	if err != nil {
		return "", err
	}
	s, ok := tok.(string)
	if !ok {
		return "", fmt.Errorf("found %.40v instead of a string", tok)
	}
	return s, nil
}

// ints reads an array of at most limit integers in [0, most].
func (o *objectReader) ints(limit int, most int64) ([]int64, error) {
	if err := o.delim('['); err != nil {
		return nil, err
	}
	var out []int64
	for o.dec.More() {
		tok, err := o.dec.Token()
		if err != nil {
			return nil, err
		}
		n, ok := tok.(json.Number)
		if !ok {
			return nil, fmt.Errorf("found %.40v instead of a number", tok)
		}
		v, err := n.Int64()
		if err != nil || v < 0 || v > most {
			return nil, fmt.Errorf("%.40s is not an integer from 0 to %d", n, most)
		}
		if len(out) == limit {
			return nil, fmt.Errorf("more than %d numbers", limit)
		}
		out = append(out, v)
	}
	return out, o.delim(']')
}

// tensor reads {"dtype", "shape", "data_offsets"}, all of them and no others.
func (o *objectReader) tensor(name string) (Tensor, error) {
	t := Tensor{Name: name}
	var offsets []int64
	var fields int
	err := o.object(func(key string) (err error) {
		fields++
		switch key {
		case "dtype":
			var s string
			s, err = o.text()
			t.DType = DType(s)
		case "shape":
			t.Shape, err = o.ints(maxRank, maxDimension)
		case "data_offsets":
			offsets, err = o.ints(2, 1<<62)
		default:
			err = fmt.Errorf("unknown key %q", key)
		}
		return err
	})
	switch {
	case err != nil:
		return t, fmt.Errorf("tensor %q: %w", name, err)
	case fields != 3 || len(offsets) != 2 || offsets[1] < offsets[0]:
		return t, fmt.Errorf("tensor %q lacks a dtype, a shape or a byte range", name)
	}
	t.Offset, t.Size = offsets[0], offsets[1]-offsets[0]
	if size, ok := byteSize(t.DType, t.Shape); !ok || size != t.Size {
		return t, fmt.Errorf("tensor %q: %s%v does not fill %d bytes", name, t.DType, t.Shape, t.Size)
	}
	return t, nil
}

// byteSize is the size in bytes of a tensor; false if the type is unknown, the
// product overflows or the bits do not fill whole bytes.
func byteSize(d DType, shape []int64) (int64, bool) {
	n := uint64(d.Bits())
	if n == 0 {
		return 0, false
	}
	if slices.Contains(shape, 0) {
		return 0, elementsFit(shape)
	}
	for _, dim := range shape {
		hi, lo := bits.Mul64(n, uint64(dim))
		if hi != 0 || lo > 1<<62 {
			return 0, false
		}
		n = lo
	}
	return int64(n / 8), n%8 == 0
}

// elementsFit reports whether the product of the dimensions that are not zero
// fits, so that arithmetic on an empty tensor's shape cannot overflow either.
func elementsFit(shape []int64) bool {
	n := uint64(1)
	for _, dim := range shape {
		if dim == 0 {
			continue
		}
		hi, lo := bits.Mul64(n, uint64(dim))
		if hi != 0 || lo > 1<<62 {
			return false
		}
		n = lo
	}
	return true
}
