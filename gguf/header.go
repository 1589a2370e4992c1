package gguf

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"math/bits"
	"slices"
)

// ErrFormat is wrapped by every error about a malformed or unsupported file,
// as opposed to one that could not be read.
var ErrFormat = errors.New("malformed GGUF file")

// Limits, well above any real model (a 1T-parameter model has 3,000 tensors, a
// vocabulary 260,000 tokens).
const (
	maxKeys          = 100_000
	maxTensors       = 1 << 20
	maxKey           = 1 << 16  // bytes of a key or a tensor's name
	maxString        = 10 << 20 // bytes of a value
	maxKept          = 64 << 20 // bytes of all names and string values together
	maxArray         = 1 << 24  // elements of an array
	maxDepth         = 4        // arrays in arrays
	maxRank          = 8
	maxDimension     = 1 << 40
	maxHeader        = 256 << 20 // bytes before the tensors' data
	maxAlignment     = 1 << 20
	defaultAlignment = 32
	alignmentKey     = "general.alignment"
)

// Tensor is one tensor of a file. Its blocks are [Offset, Offset+Size).
type Tensor struct {
	Name   string
	Type   Type
	Shape  []int64 // ggml order: the fastest dimension first
	Offset int64   // from the start of the file
	Size   int64   // bytes; -1 if the type is not known
}

// Elements is the number of elements: the product of the shape.
func (t Tensor) Elements() int64 {
	n := int64(1)
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// Header is everything in a file but its tensors' data.
type Header struct {
	Version   uint32
	BigEndian bool
	Tensors   []Tensor // in the order of the file
	Alignment int64
	DataAt    int64 // where the tensors' data begins in the file

	r      io.ReaderAt // for arrays
	size   int64
	keys   []string
	values map[string]any // scalar, string or array
	spans  map[string]span
	byName map[string]int // index into Tensors
}

// span is where a value is in the file, its type included.
type span struct{ start, end int64 }

// array is a value that stayed in the file.
type array struct {
	elem   valueType
	length int64
	offset int64 // of the first element
}

// ReadHeader reads and checks the header of a file of size bytes. The Header
// keeps r to read arrays later.
func ReadHeader(r io.ReaderAt, size int64) (*Header, error) {
	d := newDecoder(r, 0, min(size, maxHeader))
	h := &Header{r: r, size: size}
	if err := h.read(d); err != nil {
		return nil, fmt.Errorf("read GGUF header: %w", err)
	}
	return h, nil
}

func (h *Header) read(d *decoder) error {
	tensors, keys, err := h.readPreamble(d)
	if err != nil {
		return err
	}
	if err := h.readValues(d, keys); err != nil {
		return err
	}
	if err := h.readTensors(d, tensors); err != nil {
		return err
	}
	return h.place(d.offset())
}

// readPreamble reads magic, version and the two counts.
func (h *Header) readPreamble(d *decoder) (tensors, keys uint64, err error) {
	magic, err := d.bytes(4)
	if err != nil {
		return 0, 0, err
	}
	if string(magic) != "GGUF" {
		return 0, 0, malformed("it begins with %q", magic)
	}
	h.Version = d.uint32()
	if h.Version&0xffff == 0 {
		d.bigEndian()
		h.BigEndian, h.Version = true, bits.ReverseBytes32(h.Version)
	}
	if d.err == nil && h.Version != 2 && h.Version != 3 {
		return 0, 0, malformed("version %d is not supported", h.Version)
	}
	tensors, keys = d.uint64(), d.uint64()
	switch {
	case d.err != nil:
		return 0, 0, d.err
	case tensors > maxTensors:
		return 0, 0, malformed("%d tensors", tensors)
	case keys > maxKeys:
		return 0, 0, malformed("%d keys", keys)
	}
	return tensors, keys, nil
}

func (h *Header) readValues(d *decoder, n uint64) error {
	h.values, h.spans = map[string]any{}, map[string]span{}
	for range n {
		key := d.text(maxKey)
		start := d.offset()
		t := valueType(d.uint32())
		v := d.value(t)
		if d.err != nil {
			return fmt.Errorf("key %q: %w", key, d.err)
		}
		if _, dup := h.values[key]; dup {
			return malformed("duplicate key %q", key)
		}
		h.values[key], h.spans[key] = v, span{start, d.offset()}
		h.keys = append(h.keys, key)
	}
	return nil
}

func (h *Header) readTensors(d *decoder, n uint64) error {
	h.byName = map[string]int{}
	for i := range int(n) {
		t := Tensor{Name: d.text(maxKey)}
		rank := d.uint32()
		if rank > maxRank {
			return malformed("tensor %q has %d dimensions", t.Name, rank)
		}
		for range rank {
			dim := d.uint64()
			if dim > maxDimension {
				return malformed("tensor %q has a dimension of %d", t.Name, dim)
			}
			t.Shape = append(t.Shape, int64(dim))
		}
		t.Type = Type(d.uint32())
		offset := d.uint64()
		if d.err != nil {
			return fmt.Errorf("tensor %q: %w", t.Name, d.err)
		}
		if offset > uint64(h.size) {
			return malformed("tensor %q begins behind the file", t.Name)
		}
		t.Offset = int64(offset)
		if _, dup := h.byName[t.Name]; dup {
			return malformed("duplicate tensor %q", t.Name)
		}
		h.byName[t.Name] = i
		h.Tensors = append(h.Tensors, t)
	}
	return nil
}

// place computes sizes, makes offsets absolute and checks that no tensor
// leaves the file or overlaps another. end is where the descriptions end.
func (h *Header) place(end int64) error {
	h.Alignment = defaultAlignment
	if v, ok := h.Uint(alignmentKey); ok {
		if v == 0 || v > maxAlignment {
			return malformed("alignment %d", v)
		}
		h.Alignment = int64(v)
	}
	h.DataAt = (end + h.Alignment - 1) / h.Alignment * h.Alignment
	var elements int64
	order := make([]int, len(h.Tensors))
	for i := range h.Tensors {
		order[i] = i
		t := &h.Tensors[i]
		if t.Offset%h.Alignment != 0 {
			return malformed("tensor %q is not aligned", t.Name)
		}
		t.Offset += h.DataAt
		if err := t.measure(); err != nil {
			return err
		}
		if max(t.Size, 0) > h.size-t.Offset {
			return malformed("tensor %q ends behind the file", t.Name)
		}
		if elements += t.Elements(); elements/8 > h.size {
			return malformed("more parameters than bits")
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		ta, tb := &h.Tensors[a], &h.Tensors[b]
		if ta.Offset != tb.Offset {
			return int(min(max(ta.Offset-tb.Offset, -1), 1))
		}
		return int(min(max(ta.Size-tb.Size, -1), 1))
	})
	for i := 1; i < len(order); i++ {
		a, b := &h.Tensors[order[i-1]], &h.Tensors[order[i]]
		if a.Offset+max(a.Size, 0) > b.Offset {
			return malformed("tensors %q and %q overlap", a.Name, b.Name)
		}
	}
	return nil
}

// measure sets Size and checks that Elements cannot overflow.
func (t *Tensor) measure() error {
	n := uint64(1)
	for _, dim := range t.Shape {
		hi, lo := bits.Mul64(n, uint64(max(dim, 1)))
		if hi != 0 || lo > 1<<56 {
			return malformed("tensor %q is too large", t.Name)
		}
		n = lo
	}
	elements, bytes := t.Type.Block()
	if elements == 0 {
		t.Size = -1
		return nil
	}
	row := int64(1)
	if len(t.Shape) > 0 {
		row = t.Shape[0]
	}
	if row%elements != 0 {
		return malformed("tensor %q: rows of %d are not whole blocks of %s", t.Name, row, t.Type)
	}
	blocks := t.Elements() / elements
	if blocks > (1<<62)/bytes {
		return malformed("tensor %q is too large", t.Name)
	}
	t.Size = blocks * bytes
	return nil
}

// Lookup finds a tensor by name.
func (h *Header) Lookup(name string) (Tensor, bool) {
	i, ok := h.byName[name]
	if !ok {
		return Tensor{}, false
	}
	return h.Tensors[i], true
}

// Keys iterates over the keys in the order of the file.
func (h *Header) Keys() iter.Seq[string] { return slices.Values(h.keys) }

// Text is a string value.
func (h *Header) Text(key string) (string, bool) {
	s, ok := h.values[key].(string)
	return s, ok
}

// Bool is a boolean value.
func (h *Header) Bool(key string) (v, ok bool) {
	v, ok = h.values[key].(bool)
	return v, ok
}

// Uint is an integer value of any width that is not negative.
func (h *Header) Uint(key string) (uint64, bool) {
	switch v := h.values[key].(type) {
	case uint64:
		return v, true
	case int64:
		return uint64(v), v >= 0
	}
	return 0, false
}

// Float is a floating-point or integer value.
func (h *Header) Float(key string) (float64, bool) {
	switch v := h.values[key].(type) {
	case float64:
		return v, true
	case uint64:
		return float64(v), true
	case int64:
		return float64(v), true
	}
	return 0, false
}

// ArrayLen is the length of an array value.
func (h *Header) ArrayLen(key string) (int, bool) {
	a, ok := h.values[key].(array)
	return int(a.length), ok
}

// Strings reads an array of strings, for example the vocabulary. It returns
// nil if the key is absent or of another type.
func (h *Header) Strings(key string) ([]string, error) {
	a, ok := h.values[key].(array)
	if !ok || a.elem != typeString {
		return nil, nil
	}
	d := h.at(a.offset)
	out := make([]string, 0, min(a.length, 1<<18))
	for range a.length {
		out = append(out, d.text(maxString))
		if d.err != nil {
			return nil, fmt.Errorf("read GGUF array %q: %w", key, d.err)
		}
	}
	return out, nil
}

// Numbers reads an array of numbers of any type, widened to float64; integers
// above 2^53 lose precision, which scores, token types and ids never reach. It
// returns nil if the key is absent or of another type.
func (h *Header) Numbers(key string) ([]float64, error) {
	a, ok := h.values[key].(array)
	if !ok || a.elem.fixedSize() == 0 || a.elem == typeBool {
		return nil, nil
	}
	d := h.at(a.offset)
	out := make([]float64, 0, min(a.length, 1<<18))
	for range a.length {
		v := d.value(a.elem)
		if d.err != nil {
			return nil, fmt.Errorf("read GGUF array %q: %w", key, d.err)
		}
		switch v := v.(type) {
		case float64:
			out = append(out, v)
		case uint64:
			out = append(out, float64(v))
		case int64:
			out = append(out, float64(v))
		}
	}
	return out, nil
}

func (h *Header) at(offset int64) *decoder {
	d := newDecoder(h.r, offset, h.size)
	if h.BigEndian {
		d.bigEndian()
	}
	return d
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}
