package gguf

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
)

// Writer collects the contents of a file of version 3, little-endian. The zero
// value is empty and ready. Tensors' data is asked for only while the file is
// being written, so that files larger than memory can be made.
type Writer struct {
	values  bytes.Buffer // encoded keys and values
	keys    map[string]bool
	tensors []source
	names   map[string]bool
	err     error // the first one
}

// source is a tensor to be written.
type source struct {
	Tensor
	write func(io.Writer) error
}

// Set adds a key. A value is a string, a bool, a number of a fixed size, or a
// slice of one of them. The file keeps the order of the calls.
func (w *Writer) Set(key string, value any) {
	t, elem, ok := typeOf(value)
	if !ok {
		w.fail(fmt.Errorf("GGUF key %q: no GGUF type holds a %T", key, value))
		return
	}
	if !w.begin(key, t) {
		return
	}
	if t == typeArray {
		w.number(uint32(elem))
	}
	switch v := value.(type) {
	case string:
		w.text(v)
	case []string:
		w.number(uint64(len(v)))
		for _, s := range v {
			w.text(s)
		}
	default:
		if t == typeArray {
			w.number(uint64(binary.Size(v) / int(elem.fixedSize())))
		}
		w.number(v)
	}
}

// Copy adds all keys of another file that keep accepts, with their values as they
// are; but for the alignment, which is the writer's.
func (w *Writer) Copy(h *Header, keep func(key string) bool) {
	if h.BigEndian {
		w.fail(fmt.Errorf("copy GGUF keys: a big-endian file cannot be copied"))
		return
	}
	for _, key := range h.keys {
		if key == alignmentKey || !keep(key) {
			continue
		}
		s := h.spans[key]
		raw := make([]byte, s.end-s.start)
		if _, err := h.r.ReadAt(raw, s.start); err != nil {
			w.fail(fmt.Errorf("copy GGUF key %q: %w", key, err))
			return
		}
		if w.begin(key, valueType(binary.LittleEndian.Uint32(raw))) {
			w.values.Write(raw[4:])
		}
	}
}

// Add adds a tensor, whose shape is in ggml's order: the fastest dimension first.
// write is called once, by WriteTo, in the order of the calls of Add, and must
// write exactly the tensor's bytes.
func (w *Writer) Add(name string, t Type, shape []int64, write func(io.Writer) error) {
	s := source{Tensor{Name: name, Type: t, Shape: shape}, write}
	if w.names == nil {
		w.names = map[string]bool{}
	}
	switch err := s.measure(); {
	case s.negative():
		w.fail(fmt.Errorf("GGUF tensor %q has a negative dimension", name))
	case err != nil:
		w.fail(err)
	case s.Size < 0:
		w.fail(fmt.Errorf("GGUF tensor %q: unknown type %s", name, t))
	case w.names[name]:
		w.fail(fmt.Errorf("GGUF tensor %q is added twice", name))
	}
	w.names[name] = true
	if last := len(w.tensors) - 1; last >= 0 {
		s.Offset = align(w.tensors[last].Offset + w.tensors[last].Size)
	}
	w.tensors = append(w.tensors, s)
}

// WriteTo writes the file. It fails if anything that was added is not valid.
func (w *Writer) WriteTo(out io.Writer) (int64, error) {
	if w.err != nil {
		return 0, w.err
	}
	c := &counter{w: bufio.NewWriterSize(out, 1<<20)}
	_, err := c.Write(w.header())
	for _, t := range w.tensors {
		if err == nil {
			err = c.pad()
		}
		start := c.n
		if err == nil {
			err = t.write(c)
		}
		if got := c.n - start; err == nil && got != t.Size {
			err = fmt.Errorf("%d bytes were written, it has %d", got, t.Size)
		}
		if err != nil {
			return c.n, fmt.Errorf("write GGUF tensor %q: %w", t.Name, err)
		}
	}
	if err == nil {
		err = c.pad()
	}
	if err == nil {
		err = c.w.Flush()
	}
	return c.n, err
}

func (s *source) negative() bool {
	return slices.ContainsFunc(s.Shape, func(d int64) bool { return d < 0 })
}

func (w *Writer) header() []byte {
	b := []byte("GGUF")
	b = binary.LittleEndian.AppendUint32(b, 3)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(w.tensors)))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(w.keys)))
	b = append(b, w.values.Bytes()...)
	for _, t := range w.tensors {
		b = binary.LittleEndian.AppendUint64(b, uint64(len(t.Name)))
		b = append(b, t.Name...)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(t.Shape)))
		for _, d := range t.Shape {
			b = binary.LittleEndian.AppendUint64(b, uint64(d))
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(t.Type))
		b = binary.LittleEndian.AppendUint64(b, uint64(t.Offset))
	}
	return b
}

func align(n int64) int64 { return (n + defaultAlignment - 1) / defaultAlignment * defaultAlignment }

func (w *Writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// begin writes a key and its value's type.
func (w *Writer) begin(key string, t valueType) bool {
	if w.keys == nil {
		w.keys = map[string]bool{}
	}
	switch {
	case w.keys[key]:
		w.fail(fmt.Errorf("GGUF key %q is set twice", key))
		return false
	case key == alignmentKey:
		w.fail(fmt.Errorf("GGUF key %q: the writer aligns to %d", key, defaultAlignment))
		return false
	}
	w.keys[key] = true
	w.text(key)
	w.number(uint32(t))
	return true
}

func (w *Writer) text(s string) {
	w.number(uint64(len(s)))
	w.values.WriteString(s)
}

// number writes numbers and slices of them.
func (w *Writer) number(v any) {
	if err := binary.Write(&w.values, binary.LittleEndian, v); err != nil {
		w.fail(err)
	}
}

// typeOf returns the type of a value, and of its elements if it is an array.
func typeOf(v any) (t, elem valueType, ok bool) {
	switch v.(type) {
	case string:
		return typeString, 0, true
	case bool:
		return typeBool, 0, true
	case uint8:
		return typeUint8, 0, true
	case int8:
		return typeInt8, 0, true
	case uint16:
		return typeUint16, 0, true
	case int16:
		return typeInt16, 0, true
	case uint32:
		return typeUint32, 0, true
	case int32:
		return typeInt32, 0, true
	case uint64:
		return typeUint64, 0, true
	case int64:
		return typeInt64, 0, true
	case float32:
		return typeFloat32, 0, true
	case float64:
		return typeFloat64, 0, true
	case []string:
		return typeArray, typeString, true
	case []bool:
		return typeArray, typeBool, true
	case []uint8:
		return typeArray, typeUint8, true
	case []uint32:
		return typeArray, typeUint32, true
	case []int32:
		return typeArray, typeInt32, true
	case []float32:
		return typeArray, typeFloat32, true
	}
	return 0, 0, false
}

// counter counts what passes through it.
type counter struct {
	w *bufio.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

func (c *counter) pad() error {
	_, err := c.Write(make([]byte, align(c.n)-c.n))
	return err
}
