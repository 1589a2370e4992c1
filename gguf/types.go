package gguf

import "fmt"

// Type is how a tensor's elements are stored. Quantised types store blocks.
type Type uint32

// The ggml types. Numbers that are missing were removed from ggml; those that
// old files still contain are kept.
const (
	F32     Type = 0
	F16     Type = 1
	Q4_0    Type = 2
	Q4_1    Type = 3
	Q5_0    Type = 6
	Q5_1    Type = 7
	Q8_0    Type = 8
	Q8_1    Type = 9
	Q2_K    Type = 10
	Q3_K    Type = 11
	Q4_K    Type = 12
	Q5_K    Type = 13
	Q6_K    Type = 14
	Q8_K    Type = 15
	IQ2_XXS Type = 16
	IQ2_XS  Type = 17
	IQ3_XXS Type = 18
	IQ1_S   Type = 19
	IQ4_NL  Type = 20
	IQ3_S   Type = 21
	IQ2_S   Type = 22
	IQ4_XS  Type = 23
	I8      Type = 24
	I16     Type = 25
	I32     Type = 26
	I64     Type = 27
	F64     Type = 28
	IQ1_M   Type = 29
	BF16    Type = 30
	Q4_0_44 Type = 31 // Q4_0 interleaved for ARM; not written any more
	Q4_0_48 Type = 32
	Q4_0_88 Type = 33
	TQ1_0   Type = 34
	TQ2_0   Type = 35
	MXFP4   Type = 39
	NVFP4   Type = 40
	Q1_0    Type = 41
)

// layout is a type's name, elements per block and bytes per block.
type layout struct {
	name            string
	elements, bytes int64
}

// layoutOf is the table of types; ok is false for one that is not known.
func layoutOf(t Type) (l layout, ok bool) {
	switch t {
	case F32:
		l = layout{"F32", 1, 4}
	case F16:
		l = layout{"F16", 1, 2}
	case Q4_0:
		l = layout{"Q4_0", 32, 18}
	case Q4_1:
		l = layout{"Q4_1", 32, 20}
	case Q5_0:
		l = layout{"Q5_0", 32, 22}
	case Q5_1:
		l = layout{"Q5_1", 32, 24}
	case Q8_0:
		l = layout{"Q8_0", 32, 34}
	case Q8_1:
		l = layout{"Q8_1", 32, 40}
	case Q2_K:
		l = layout{"Q2_K", 256, 84}
	case Q3_K:
		l = layout{"Q3_K", 256, 110}
	case Q4_K:
		l = layout{"Q4_K", 256, 144}
	case Q5_K:
		l = layout{"Q5_K", 256, 176}
	case Q6_K:
		l = layout{"Q6_K", 256, 210}
	case Q8_K:
		l = layout{"Q8_K", 256, 292}
	case IQ2_XXS:
		l = layout{"IQ2_XXS", 256, 66}
	case IQ2_XS:
		l = layout{"IQ2_XS", 256, 74}
	case IQ3_XXS:
		l = layout{"IQ3_XXS", 256, 98}
	case IQ1_S:
		l = layout{"IQ1_S", 256, 50}
	case IQ4_NL:
		l = layout{"IQ4_NL", 32, 18}
	case IQ3_S:
		l = layout{"IQ3_S", 256, 110}
	case IQ2_S:
		l = layout{"IQ2_S", 256, 82}
	case IQ4_XS:
		l = layout{"IQ4_XS", 256, 136}
	case I8:
		l = layout{"I8", 1, 1}
	case I16:
		l = layout{"I16", 1, 2}
	case I32:
		l = layout{"I32", 1, 4}
	case I64:
		l = layout{"I64", 1, 8}
	case F64:
		l = layout{"F64", 1, 8}
	case IQ1_M:
		l = layout{"IQ1_M", 256, 56}
	case BF16:
		l = layout{"BF16", 1, 2}
	case Q4_0_44:
		l = layout{"Q4_0_4_4", 32, 18}
	case Q4_0_48:
		l = layout{"Q4_0_4_8", 32, 18}
	case Q4_0_88:
		l = layout{"Q4_0_8_8", 32, 18}
	case TQ1_0:
		l = layout{"TQ1_0", 256, 54}
	case TQ2_0:
		l = layout{"TQ2_0", 256, 66}
	case MXFP4:
		l = layout{"MXFP4", 32, 17}
	case NVFP4:
		l = layout{"NVFP4", 64, 36}
	case Q1_0:
		l = layout{"Q1_0", 128, 18}
	default:
		return layout{}, false
	}
	return l, true
}

// Block is the number of elements and of bytes of one block; zeros for a type
// that is not known.
func (t Type) Block() (elements, bytes int64) {
	l, _ := layoutOf(t)
	return l.elements, l.bytes
}

func (t Type) String() string {
	if l, ok := layoutOf(t); ok {
		return l.name
	}
	return fmt.Sprintf("Type(%d)", uint32(t))
}

// valueType is the type of a key's value.
type valueType uint32

const (
	typeUint8 valueType = iota
	typeInt8
	typeUint16
	typeInt16
	typeUint32
	typeInt32
	typeFloat32
	typeBool
	typeString
	typeArray
	typeUint64
	typeInt64
	typeFloat64
)

// fixedSize is the size in bytes of a scalar, 0 for strings, arrays and
// unknown types.
func (t valueType) fixedSize() int64 {
	switch t {
	case typeUint8, typeInt8, typeBool:
		return 1
	case typeUint16, typeInt16:
		return 2
	case typeUint32, typeInt32, typeFloat32:
		return 4
	case typeUint64, typeInt64, typeFloat64:
		return 8
	}
	return 0
}
