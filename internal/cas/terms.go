package cas

import (
	"encoding/binary"
	"errors"
	"slices"
	"sort"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/xet"
)

// file is how a file is put together.
type file struct {
	id    hub.XetHash
	size  int64
	terms []xet.Term
	ends  []int64 // ends[i] is where term i ends in the file
}

func newFile(id hub.XetHash, terms []xet.Term) *file {
	f := &file{id: id, terms: terms, ends: make([]int64, len(terms))}
	for i := range terms {
		f.size += int64(terms[i].Size)
		f.ends[i] = f.size
	}
	return f
}

// find is the term that holds the byte at off, len(terms) beyond the end.
func (f *file) find(off int64) int {
	return sort.Search(len(f.ends), func(i int) bool { return f.ends[i] > off })
}

// start is where term i begins in the file.
func (f *file) start(i int) int64 { return f.ends[i] - int64(f.terms[i].Size) }

const termsVersion = 1

var errTerms = errors.New("malformed terms")

// appendTerms appends the form in which terms are stored: the distinct xorbs,
// then for each term the number of its xorb, its first chunk, its number of
// chunks and its size. Most terms take seven bytes.
func appendTerms(dst []byte, terms []xet.Term) []byte {
	number := make(map[hub.XetHash]uint64)
	var xorbs []byte
	for i := range terms {
		if _, ok := number[terms[i].Xorb]; !ok {
			number[terms[i].Xorb] = uint64(len(number))
			xorbs = append(xorbs, terms[i].Xorb[:]...)
		}
	}
	dst = append(dst, termsVersion)
	dst = binary.AppendUvarint(dst, uint64(len(number)))
	dst = append(dst, xorbs...)
	dst = binary.AppendUvarint(dst, uint64(len(terms)))
	for i := range terms {
		t := &terms[i]
		dst = binary.AppendUvarint(dst, number[t.Xorb])
		dst = binary.AppendUvarint(dst, uint64(t.Start))
		dst = binary.AppendUvarint(dst, uint64(t.End-t.Start))
		dst = binary.AppendUvarint(dst, uint64(t.Size))
	}
	return dst
}

// parseTerms parses what appendTerms made.
func parseTerms(b []byte) ([]xet.Term, error) {
	const hashSize = len(hub.XetHash{})
	if len(b) == 0 || b[0] != termsVersion {
		return nil, errTerms
	}
	n, b, ok := cutUvarint(b[1:])
	if !ok || n > uint64(len(b)/hashSize) {
		return nil, errTerms
	}
	xorbs, b := b[:n*uint64(hashSize)], b[n*uint64(hashSize):]
	count, b, ok := cutUvarint(b)
	if !ok || count > uint64(len(b)/4) {
		return nil, errTerms
	}
	terms := make([]xet.Term, count)
	for i := range terms {
		var v [4]uint64
		for j := range v {
			if v[j], b, ok = cutUvarint(b); !ok || v[j] > 1<<32-1 {
				return nil, errTerms
			}
		}
		if v[0] >= n || v[1]+v[2] > 1<<32-1 {
			return nil, errTerms
		}
		terms[i] = xet.Term{
			Xorb:  hub.XetHash(xorbs[v[0]*uint64(hashSize):][:hashSize]),
			Start: uint32(v[1]), End: uint32(v[1] + v[2]), Size: uint32(v[3]),
		}
	}
	if len(b) > 0 {
		return nil, errTerms
	}
	return terms, nil
}

func cutUvarint(b []byte) (uint64, []byte, bool) {
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, false
	}
	return v, b[n:], true
}

// xorbsOf lists the distinct xorbs of terms.
func xorbsOf(terms []xet.Term) []hub.XetHash {
	seen := make(map[hub.XetHash]bool)
	var out []hub.XetHash
	for i := range terms {
		if h := terms[i].Xorb; !seen[h] {
			seen[h] = true
			out = append(out, h)
		}
	}
	return slices.Clip(out)
}
