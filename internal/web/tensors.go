package web

import (
	"cmp"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/pantryhub/pantry/gguf"
	"github.com/pantryhub/pantry/safetensors"
)

const (
	maxTensorHeader = 8 << 20 // bytes of a safetensors header that a page reads
	tensorRows      = 400
	metadataRows    = 200
	metadataText    = 300 // bytes shown of a value
)

// checkpoint is an open file whose header is read.
type checkpoint interface {
	io.ReaderAt
	Size() int64
}

// tensorView is the header of a checkpoint file.
type tensorView struct {
	Format    string
	Count     int64
	Params    int64
	DTypes    []share
	Rows      []tensorRow // the first ones
	Metadata  []metadata
	Malformed bool // the file is none of its format, or its header is too long
}

type tensorRow struct {
	Name, DType, Shape string
	Size               int64 // bytes; -1 if unknown
}

type metadata struct{ Key, Value string }

// safetensorsTable reads the header of a safetensors file.
func safetensorsTable(f checkpoint) (*tensorView, error) {
	v := &tensorView{Format: "safetensors"}
	h, err := safetensors.ReadHeader(f, f.Size(), maxTensorHeader)
	if errors.Is(err, safetensors.ErrFormat) {
		v.Malformed = true
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	byType, total := h.ParameterCount()
	v.Count, v.Params = int64(len(h.Tensors)), total
	for t, n := range byType {
		v.DTypes = append(v.DTypes, share{string(t), n})
	}
	for _, t := range h.Tensors[:min(len(h.Tensors), tensorRows)] {
		v.Rows = append(v.Rows, tensorRow{t.Name, string(t.DType), shape(t.Shape), t.Size})
	}
	for key, value := range h.Metadata {
		v.Metadata = append(v.Metadata, metadata{key, clip(value, metadataText)})
	}
	v.sort()
	return v, nil
}

// ggufTable reads the header of a GGUF file.
func ggufTable(f checkpoint) (*tensorView, error) {
	v := &tensorView{Format: "GGUF"}
	h, err := gguf.ReadHeader(f, f.Size())
	if errors.Is(err, gguf.ErrFormat) {
		v.Malformed = true
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	byType := map[string]int64{}
	v.Count = int64(len(h.Tensors))
	for i, t := range h.Tensors {
		v.Params += t.Elements()
		byType[t.Type.String()] += t.Elements()
		if i < tensorRows {
			v.Rows = append(v.Rows, tensorRow{t.Name, t.Type.String(), shape(t.Shape), t.Size})
		}
	}
	for name, n := range byType {
		v.DTypes = append(v.DTypes, share{name, n})
	}
	for key := range h.Keys() {
		if len(v.Metadata) == metadataRows {
			break
		}
		v.Metadata = append(v.Metadata, metadata{clip(key, metadataText), ggufValue(h, key)})
	}
	slices.SortFunc(v.DTypes, compareShares)
	return v, nil
}

// ggufValue writes a value of a GGUF header.
func ggufValue(h *gguf.Header, key string) string {
	if s, ok := h.Text(key); ok {
		return clip(s, metadataText)
	}
	if b, ok := h.Bool(key); ok {
		return strconv.FormatBool(b)
	}
	if n, ok := h.Uint(key); ok {
		return strconv.FormatUint(n, 10)
	}
	if x, ok := h.Float(key); ok {
		return strconv.FormatFloat(x, 'g', 6, 64)
	}
	if n, ok := h.ArrayLen(key); ok {
		return "array of " + formatNumber(int64(n))
	}
	return ""
}

func (v *tensorView) sort() {
	slices.SortFunc(v.DTypes, compareShares)
	slices.SortFunc(v.Metadata, func(a, b metadata) int { return strings.Compare(a.Key, b.Key) })
	v.Metadata = v.Metadata[:min(len(v.Metadata), metadataRows)]
}

// compareShares puts the largest share first.
func compareShares(a, b share) int {
	return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Name, b.Name))
}
