package safetensors_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pantryhub/pantry/safetensors"
)

// file builds a file from a header and n bytes of data.
func file(header string, n int) []byte {
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	out = append(out, header...)
	return append(out, make([]byte, n)...)
}

func read(src []byte) (*safetensors.Header, error) {
	return safetensors.ReadHeader(bytes.NewReader(src), int64(len(src)), safetensors.MaxHeader)
}

func TestGoldenFiles(t *testing.T) {
	names, err := filepath.Glob("testdata/*.safetensors")
	if err != nil || len(names) < 2 {
		t.Fatalf("golden files: %v, %v", names, err)
	}
	type entry struct {
		DType string  `json:"dtype"`
		Shape []int64 `json:"shape"`
	}
	type golden struct {
		Metadata map[string]string `json:"metadata"`
		Tensors  map[string]entry  `json:"tensors"`
	}
	for _, name := range names {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var want golden
		if raw, err := os.ReadFile(name + ".json"); err != nil {
			t.Fatal(err)
		} else if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatal(err)
		}
		h, err := read(src)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := golden{Metadata: h.Metadata, Tensors: map[string]entry{}}
		for _, x := range h.Tensors {
			shape := x.Shape
			if shape == nil {
				shape = []int64{}
			}
			got.Tensors[x.Name] = entry{string(x.DType), shape}
			if y, ok := h.Lookup(x.Name); !ok || y.Offset != x.Offset {
				t.Errorf("%s: Lookup(%q) = %v, %v", name, x.Name, y, ok)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

func TestTensorBytes(t *testing.T) {
	src, err := os.ReadFile("testdata/mixed.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	h, err := read(src)
	if err != nil {
		t.Fatal(err)
	}
	x, ok := h.Lookup("i64")
	if !ok {
		t.Fatal("no tensor i64")
	}
	if got, want := src[x.Offset:x.Offset+x.Size], []byte{0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}; !bytes.Equal(got, want) {
		t.Errorf("i64 holds % x, want % x", got, want)
	}
}

func TestHostileHeaders(t *testing.T) {
	const one = `{"dtype":"F32","shape":[1],"data_offsets":[0,4]}`
	tests := []struct {
		name string
		src  []byte
		want string // in the error
	}{
		{"empty file", nil, "too few"},
		{"short prefix", []byte{1, 2, 3}, "too few"},
		{"huge length", append(bytes.Repeat([]byte{0xff}, 8), '{', '}'), "over the limit"},
		{"length over the file", append(binary.LittleEndian.AppendUint64(nil, 99), '{', '}'), "in a file of"},
		{"no header", file("", 0), "begin with"},
		{"not JSON", file("{oops}", 0), "invalid character"},
		{"array", file("[]", 0), "begin with"},
		{"leading space", file(" {}", 0), "begin with"},
		{"bad UTF-8", file("{\"a\xff\":"+one+"}", 4), "UTF-8"},
		{"unterminated", file(`{"a":`+one, 4), "EOF"},
		{"two values", file(`{"a":`+one+`}{}`, 4), "goes on"},
		{"duplicate tensor", file(`{"a":`+one+`,"a":`+one+`}`, 4), "duplicate key"},
		{"duplicate by escape", file(`{"a":`+one+`,"\u0061":`+one+`}`, 4), "duplicate key"},
		{"duplicate field", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"dtype":"U8"}}`, 4), "duplicate key"},
		{"missing field", file(`{"a":{"dtype":"F32","shape":[1]}}`, 4), "lacks"},
		{"extra field", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}`, 4), "unknown key"},
		{"unknown dtype", file(`{"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}}`, 4), "does not fill"},
		{"size", file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4), "does not fill"},
		{"negative", file(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, 4), "not an integer"},
		{"fraction", file(`{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}`, 4), "not an integer"},
		{"overflow", file(`{"a":{"dtype":"F32","shape":[281474976710656,281474976710656,16],"data_offsets":[0,0]}}`, 0), "does not fill"},
		{"overflow beside zero", file(`{"a":{"dtype":"F32","shape":[281474976710656,281474976710656,0],"data_offsets":[0,0]}}`, 0), "does not fill"},
		{"reversed", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}`, 4), "lacks"},
		{"half a byte", file(`{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}}`, 1), "does not fill"},
		{"hole", file(`{"a":`+one+`,"b":{"dtype":"U8","shape":[1],"data_offsets":[5,6]}}`, 6), "begins at 5"},
		{"overlap", file(`{"a":`+one+`,"b":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}}`, 4), "begins at 3"},
		{"hole at the start", file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2), "begins at 1"},
		{"truncated data", file(`{"a":`+one+`}`, 3), "the file at"},
		{"far behind the file", file(`{"a":{"dtype":"U8","shape":[1000000],"data_offsets":[0,1000000]}}`, 3), "ends behind"},
		{"trailing data", file(`{"a":`+one+`}`, 5), "the file at"},
		{"metadata number", file(`{"__metadata__":{"a":1}}`, 0), "instead of a string"},
		{"metadata list", file(`{"__metadata__":[]}`, 0), "instead of {"},
		{"duplicate metadata", file(`{"__metadata__":{"a":"b","a":"c"}}`, 0), "duplicate key"},
		{"rank", file(`{"a":{"dtype":"U8","shape":[`+strings.Repeat("1,", 70)+`1],"data_offsets":[0,1]}}`, 1), "more than 64"},
		{"depth", file(`{"a":`+strings.Repeat("[", 100_000), 0), "instead of {"},
	}
	for _, tt := range tests {
		h, err := read(tt.src)
		if !errors.Is(err, safetensors.ErrFormat) || !strings.Contains(fmt.Sprint(err), tt.want) {
			t.Errorf("%s: ReadHeader = %v, %v; want an ErrFormat with %q", tt.name, h, err, tt.want)
		}
	}
}

func TestAcceptedHeaders(t *testing.T) {
	for name, src := range map[string][]byte{
		"padded":          file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}   `, 4),
		"any key order":   file(`{"b":{"shape":[1],"data_offsets":[4,5],"dtype":"U8"},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 5),
		"F4 pair":         file(`{"a":{"dtype":"F4","shape":[3,2],"data_offsets":[0,3]}}`, 3),
		"empty in middle": file(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[0],"data_offsets":[2,2]},"c":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}`, 3),
	} {
		if _, err := read(src); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A length that lies must not be believed with memory.
func TestHeaderMemoryIsBounded(t *testing.T) {
	src := binary.LittleEndian.AppendUint64(nil, safetensors.MaxHubHeader+1)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := safetensors.ReadHeader(bytes.NewReader(src), 1<<40, safetensors.MaxHubHeader)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, safetensors.ErrFormat) || after.TotalAlloc-before.TotalAlloc > 1<<20 {
		t.Errorf("ReadHeader = %v after allocating %d bytes", err, after.TotalAlloc-before.TotalAlloc)
	}
}

type brokenDisk struct{}

func (brokenDisk) ReadAt([]byte, int64) (int, error) { return 0, io.ErrClosedPipe }

func TestReadErrorIsNotAFormatError(t *testing.T) {
	if _, err := safetensors.ReadHeader(brokenDisk{}, 100, 100); !errors.Is(err, io.ErrClosedPipe) || errors.Is(err, safetensors.ErrFormat) {
		t.Errorf("ReadHeader = %v, want io.ErrClosedPipe", err)
	}
}

func TestSummarize(t *testing.T) {
	header := func(tensors ...safetensors.Tensor) *safetensors.Header { return &safetensors.Header{Tensors: tensors} }
	tensor := func(name string, d safetensors.DType, shape ...int64) safetensors.Tensor {
		return safetensors.Tensor{Name: name, DType: d, Shape: shape}
	}
	tests := []struct {
		name    string
		h       *safetensors.Header
		q       safetensors.Quantization
		claimed int64
		want    map[string]int64
		total   int64
	}{
		{"plain", header(tensor("a", safetensors.F32, 2, 3), tensor("b", safetensors.F32, 4), tensor("ids", safetensors.I64, 512), tensor("s", safetensors.F32)),
			safetensors.Quantization{}, 0, map[string]int64{"F32": 10, "I64": 512}, 522},
		{"claimed less", header(tensor("a", safetensors.F32, 10)), safetensors.Quantization{}, 8, map[string]int64{"F32": 10}, 8},
		{"claimed more", header(tensor("a", safetensors.F32, 10)), safetensors.Quantization{}, 80, map[string]int64{"F32": 10}, 10},
		{"gptq", header(tensor("l.qweight", safetensors.I32, 16), tensor("l.qzeros", safetensors.I32, 9), tensor("l.scales", safetensors.F16, 9), tensor("n.weight", safetensors.F16, 4)),
			safetensors.Quantization{Method: "gptq", Bits: 4}, 0, map[string]int64{"I32": 128, "F16": 4}, 132},
		{"bitsandbytes", header(tensor("l.weight", safetensors.U8, 16), tensor("l.weight.absmax", safetensors.U8, 9), tensor("l.weight.quant_state.bitsandbytes__nf4", safetensors.U8, 77)),
			safetensors.Quantization{Method: "bitsandbytes", Load4Bit: true}, 0, map[string]int64{"U8": 32}, 32},
		{"mxfp4", header(tensor("e.gate_blocks", safetensors.U8, 16), tensor("e.gate_scales", safetensors.U8, 1), tensor("n", safetensors.BF16, 4)),
			safetensors.Quantization{Method: "mxfp4"}, 0, map[string]int64{"U8": 32, "BF16": 4}, 36},
		{"fp8", header(tensor("a.weight", safetensors.F8E4M3, 16), tensor("a.weight_scale_inv", safetensors.F32, 1), tensor("m.experts.0.w", safetensors.I8, 8), tensor("t", safetensors.I8, 8)),
			safetensors.Quantization{Method: "fp8", Experts: "fp4"}, 0, map[string]int64{"F8_E4M3": 16, "I8": 24}, 40},
		{"compressed-tensors", header(tensor("a.weight_packed", safetensors.I32, 4), tensor("a.weight_scale", safetensors.BF16, 4), tensor("a.weight_shape", safetensors.I32, 2), tensor("lm_head.weight", safetensors.BF16, 8)),
			safetensors.Quantization{Method: "compressed-tensors", Format: "pack-quantized"}, 0, map[string]int64{"I32": 32, "BF16": 8}, 40},
		{"mlx", header(tensor("a.weight", safetensors.U32, 4), tensor("a.scales", safetensors.F16, 4), tensor("a.biases", safetensors.F16, 4), tensor("n.weight", safetensors.F16, 2)),
			safetensors.Quantization{Bits: 4, GroupSize: 64}, 0, map[string]int64{"U32": 32, "F16": 2}, 34},
		{"excluded", header(tensor("lm_head.weight", safetensors.U8, 4), tensor("a.weight", safetensors.U8, 4)),
			safetensors.Quantization{Load4Bit: true, Exclude: []string{"lm_head"}}, 0, map[string]int64{"U8": 12}, 12},
	}
	for _, tt := range tests {
		got := safetensors.Summarize([]*safetensors.Header{tt.h}, tt.q, tt.claimed)
		if diff := cmp.Diff(safetensors.Summary{Parameters: tt.want, Total: tt.total}, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", tt.name, diff)
		}
	}
}

func TestParseIndex(t *testing.T) {
	x, err := safetensors.ParseIndex([]byte(`{"metadata":{"total_size":10,"total_parameters":"7"},"weight_map":{"a":"model-00001-of-00002.safetensors","b":"sub/model-00002-of-00002.safetensors","c":"model-00001-of-00002.safetensors"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"model-00001-of-00002.safetensors", "sub/model-00002-of-00002.safetensors"}, x.Shards()); diff != "" || x.TotalParameters != 7 {
		t.Errorf("Shards -want +got\n%s, total %d", diff, x.TotalParameters)
	}
	for name, src := range map[string]string{
		"no map": `{}`, "escape": `{"weight_map":{"a":"../x"}}`, "absolute": `{"weight_map":{"a":"/x"}}`, "scheme": `{"weight_map":{"a":"https://x"}}`,
		"encoded": `{"weight_map":{"a":"%2e%2e/x"}}`, "backslash": `{"weight_map":{"a":"..\\x"}}`, "number": `{"weight_map":{"a":1}}`, "duplicate": `{"weight_map":{"a":"x","a":"y"}}`,
		"two maps": `{"weight_map":{},"weight_map":{}}`, "truncated": `{"weight_map":{"a":"x"`, "empty name": `{"weight_map":{"a":""}}`,
	} {
		if x, err := safetensors.ParseIndex([]byte(src)); !errors.Is(err, safetensors.ErrFormat) {
			t.Errorf("%s: ParseIndex = %v, %v; want an ErrFormat", name, x, err)
		}
	}
}

func BenchmarkReadHeader(b *testing.B) {
	var s strings.Builder
	const tensors = 10_000
	for i := range tensors {
		fmt.Fprintf(&s, `%c"model.layers.%d.mlp.down_proj.weight":{"dtype":"BF16","shape":[1,2],"data_offsets":[%d,%d]}`, "{,"[min(i, 1)], i, 4*i, 4*i+4)
	}
	src := file(s.String()+"}", 4*tensors)
	b.SetBytes(int64(s.Len()))
	for b.Loop() {
		if _, err := read(src); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzReadHeader(f *testing.F) {
	mixed, err := os.ReadFile("testdata/mixed.safetensors")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(mixed)
	f.Add(file(`{"a":{"dtype":"F4","shape":[2],"data_offsets":[0,1]},"__metadata__":{"k":"v"}}`, 1))
	f.Fuzz(func(t *testing.T, src []byte) {
		h, err := read(src)
		if err != nil {
			return
		}
		at := h.DataAt
		for _, x := range h.Tensors {
			if x.Offset != at || x.Size < 0 {
				t.Fatalf("%+v begins at %d, want %d", x, x.Offset, at)
			}
			at += x.Size
		}
		if at != int64(len(src)) {
			t.Fatalf("tensors end at %d of %d", at, len(src))
		}
		safetensors.Summarize([]*safetensors.Header{h}, safetensors.Quantization{Method: "gptq"}, h.Claimed())
	})
}

func FuzzParseIndex(f *testing.F) {
	f.Add([]byte(`{"metadata":{"total_parameters":"7"},"weight_map":{"a":"b.safetensors"}}`))
	f.Fuzz(func(t *testing.T, src []byte) {
		x, err := safetensors.ParseIndex(src)
		if err != nil {
			return
		}
		for _, s := range x.Shards() {
			if strings.Contains("/"+s+"/", "/../") || strings.HasPrefix(s, "/") {
				t.Errorf("shard %q leaves the folder", s)
			}
		}
	})
}
