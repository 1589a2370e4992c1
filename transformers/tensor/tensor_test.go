package tensor

import (
	"slices"
	"testing"
)

func TestTensor(t *testing.T) {
	x := New([]float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 2, 2, 3)
	if x.Rank() != 3 || x.Rows() != 4 || x.Cols() != 3 || x.Dim(1) != 2 {
		t.Fatalf("shape %v, %d rows, %d cols", x.Shape(), x.Rows(), x.Cols())
	}
	if got := x.Row(2); !slices.Equal(got, []float32{6, 7, 8}) {
		t.Errorf("row 2 = %v", got)
	}
	if got := x.Slice(1, 3); !slices.Equal(got.Data, []float32{3, 4, 5, 6, 7, 8}) || got.Rows() != 2 {
		t.Errorf("slice = %v %v", got, got.Data)
	}
	y := x.Clone()
	y.Data[0] = 42
	if x.Data[0] != 0 {
		t.Error("a clone shares its numbers")
	}
	if got := x.Reshape(6, 2).String(); got != "tensor[6 2]" {
		t.Errorf("String = %s", got)
	}
}

func TestNewChecksTheShape(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("five numbers pass as (2, 3)")
		}
	}()
	New(make([]float32, 5), 2, 3)
}

// TestArena: tensors do not overlap, and a second pass like the first
// allocates nothing.
func TestArena(t *testing.T) {
	var a Arena
	pass := func() {
		x := a.New(3, 5)
		mark := a.Mark()
		y := a.Zeros(2, chunkFloats)
		for i := range x.Data {
			x.Data[i] = 1
		}
		if y.Data[0] != 0 {
			t.Fatal("tensors overlap")
		}
		y.Data[0] = 7
		a.Release(mark)
		if z := a.Zeros(2, chunkFloats); z.Data[0] != 0 {
			t.Fatal("Zeros left a number")
		}
		a.Reset()
	}
	pass()
	if n := testing.AllocsPerRun(10, pass); n != 0 {
		t.Errorf("a warm pass allocates %v times", n)
	}
	if a.Bytes() < 8*chunkFloats {
		t.Errorf("%d bytes held", a.Bytes())
	}
}
