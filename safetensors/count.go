package safetensors

import (
	"strings"
)

// Summary is the "safetensors" field of a model on a hub.
type Summary struct {
	// Parameters counts parameters by storage type.
	Parameters map[string]int64 `json:"parameters"`
	Total      int64            `json:"total"`
}

// Quantization is the part of config.json's quantization_config that says how
// many weights an element of a packed tensor holds. The zero value is an
// unquantised model.
type Quantization struct {
	Method    string   `json:"quant_method"`
	Bits      int64    `json:"bits"`
	Load4Bit  bool     `json:"load_in_4bit"`
	Format    string   `json:"format"`                 // compressed-tensors
	Mode      string   `json:"mode"`                   // MLX
	GroupSize int64    `json:"group_size"`             // MLX writes it instead of a method
	Experts   string   `json:"expert_dtype"`           // routed experts narrower than the rest
	Store     string   `json:"store_dtype"`            // the same under another name
	Exclude   []string `json:"modules_to_not_convert"` // substrings of tensor names
}

// Summarize counts the parameters of a checkpoint of one or more files as
// clients of the Hub do: packed tensors count as what they hold, scales and
// zero points not at all. claimed, if positive, is the total that the index or
// the header asserts; it is believed only if it is not larger.
func Summarize(headers []*Header, q Quantization, claimed int64) Summary {
	s := Summary{Parameters: map[string]int64{}}
	for _, h := range headers {
		for _, t := range h.Tensors {
			if n := q.weights(t); n > 0 {
				s.Parameters[string(t.DType)] += n
				s.Total += n
			}
		}
	}
	if claimed > 0 && claimed < s.Total {
		s.Total = claimed
	}
	return s
}

// Claimed is the total_parameters entry of a header's metadata, 0 if none.
func (h *Header) Claimed() int64 {
	return claimedCount([]byte(h.Metadata["total_parameters"]))
}

// ParameterCount counts elements by type, without regard to quantisation.
func (h *Header) ParameterCount() (byType map[DType]int64, total int64) {
	byType = map[DType]int64{}
	for _, t := range h.Tensors {
		byType[t.DType] += t.Elements()
		total += t.Elements()
	}
	return byType, total
}

// auxiliary are the last name segments of quantisation bookkeeping.
var auxiliary = []string{
	"weight_scale", "weight_scale_inv", "weight_scale_2", "weight_global_scale", "weight_zero_point", "weight_shape",
	"weight_g_idx", "input_scale", "input_global_scale", "input_zero_point", "zero_point",
}

// weights is the number of model weights that t holds.
func (q Quantization) weights(t Tensor) int64 {
	n := t.Elements()
	if t.DType == F8E8M0 || len(t.Shape) == 0 {
		return 0 // exponents only hold block scales; scalars are not counted
	}
	method := q.method()
	if method == "" {
		return n
	}
	if q.bookkeeping(method, t) {
		return 0
	}
	for _, name := range q.Exclude {
		if strings.Contains(t.Name, name) {
			return n
		}
	}
	bits := q.packedBits(method, t)
	container := t.DType.Bits()
	if bits <= 0 || bits >= container || !isInteger(t.DType) {
		return n
	}
	return n * container / bits
}

// method is the quantisation method. MLX writes none, only its own fields.
func (q Quantization) method() string {
	if q.Method == "" && q.Bits > 0 && (q.GroupSize > 0 || q.Mode != "") {
		return "mlx"
	}
	if q.Method == "" && (q.Load4Bit || q.Bits > 0) {
		return "other"
	}
	return strings.ToLower(q.Method)
}

// bookkeeping reports whether t is scales, zero points or the like.
func (q Quantization) bookkeeping(method string, t Tensor) bool {
	suffix := t.Name[strings.LastIndexByte(t.Name, '.')+1:]
	for _, s := range auxiliary {
		if suffix == s {
			return true
		}
	}
	switch method {
	case "gptq", "awq":
		return suffix == "qzeros" || suffix == "g_idx" || suffix == "scales"
	case "mxfp4":
		return strings.HasSuffix(t.Name, "_scales")
	case "bitsandbytes":
		return suffix == "absmax" || suffix == "quant_map" || suffix == "nested_absmax" || suffix == "nested_quant_map" ||
			strings.HasPrefix(suffix, "bitsandbytes__")
	case "mlx":
		return suffix == "scales" || suffix == "biases"
	}
	return false
}

// packedBits is the width of the weights packed into t's integers; 0 if they
// are not packed.
func (q Quantization) packedBits(method string, t Tensor) int64 {
	bits := q.Bits
	if bits <= 0 {
		bits = 4
	}
	switch method {
	case "gptq", "awq":
		if strings.HasSuffix(t.Name, ".qweight") || (t.DType == U8 && (q.Bits == 4 || q.Bits == 2)) {
			return bits
		}
	case "mxfp4":
		if t.DType == U8 && strings.Contains(t.Name, "_blocks") {
			return 4
		}
	case "compressed-tensors":
		if format := strings.ToLower(q.Format); strings.HasSuffix(format, "pack-quantized") {
			return bits
		}
	case "fp8":
		narrow := strings.ToLower(q.Experts + q.Store)
		if strings.Contains(t.Name, ".experts.") && !strings.Contains(t.Name, "shared_experts") && strings.Contains(narrow, "fp4") {
			return 4
		}
	case "mlx":
		if t.DType == U32 && strings.HasSuffix(t.Name, ".weight") {
			return bits
		}
	default:
		if t.DType == U8 && (q.Load4Bit || q.Bits == 4) {
			return 4
		}
	}
	return 0
}

func isInteger(d DType) bool {
	switch d {
	case U8, I8, U16, I16, U32, I32:
		return true
	}
	return false
}
