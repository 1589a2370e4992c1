package tensor

// chunkFloats is the least size of an arena's chunk: 1 MiB.
const chunkFloats = 1 << 18

// Arena hands out the tensors of one running forward pass and takes them all
// back at once, so that a warm pass allocates nothing. The zero value is
// ready. It is not for concurrent use.
type Arena struct {
	chunks [][]float32
	at     Mark
}

// Mark is a position of an Arena, for Release.
type Mark struct{ chunk, used int }

// New is a tensor whose numbers are unspecified: the caller writes all of
// them. It is valid until the arena is Reset, or Released to an earlier Mark.
func (a *Arena) New(dims ...int) Tensor { return New(a.Floats(product(dims)), dims...) }

// Zeros is a tensor of zeros with the lifetime of New's.
func (a *Arena) Zeros(dims ...int) Tensor {
	t := a.New(dims...)
	clear(t.Data)
	return t
}

// Floats is n unspecified numbers with the lifetime of New's tensors.
func (a *Arena) Floats(n int) []float32 {
	for a.at.chunk < len(a.chunks) {
		chunk := a.chunks[a.at.chunk]
		if a.at.used+n <= len(chunk) {
			s := chunk[a.at.used : a.at.used+n : a.at.used+n]
			a.at.used += (n + 15) &^ 15 // keeps rows on cache lines
			return s
		}
		a.at = Mark{chunk: a.at.chunk + 1}
	}
	a.chunks = append(a.chunks, make([]float32, max(n, chunkFloats)))
	a.at = Mark{chunk: len(a.chunks) - 1}
	return a.Floats(n)
}

// Mark is the present position.
func (a *Arena) Mark() Mark { return a.at }

// Release takes back everything that was handed out since m was taken.
func (a *Arena) Release(m Mark) { a.at = m }

// Reset takes back everything. Chunks that did not fit one behind the other
// are replaced by one that holds them all, so the next pass like this one
// finds its memory in one piece.
func (a *Arena) Reset() {
	a.at = Mark{}
	if len(a.chunks) < 2 {
		return
	}
	total := 0
	for _, c := range a.chunks {
		total += len(c)
	}
	a.chunks = append(a.chunks[:0:0], make([]float32, total))
}

// Bytes is the memory that the arena holds.
func (a *Arena) Bytes() int64 {
	var n int64
	for _, c := range a.chunks {
		n += int64(len(c)) * 4
	}
	return n
}
