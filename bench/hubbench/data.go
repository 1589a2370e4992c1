package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// dataKind is a kind of synthetic content.
type dataKind string

const (
	random  dataKind = "random"  // nothing compresses it
	weights dataKind = "weights" // bfloat16 of a normal distribution, as in checkpoints
	lines   dataKind = "lines"   // JSON lines of words and numbers
	twos    dataKind = "2-bit"   // weights quantised to 2 bits, which save a little
	fours   dataKind = "4-bit"   // weights quantised to 4 bits, which save nothing
)

// dataFile is a file of synthetic content below Work.
type dataFile struct {
	path   string
	sha256 string
	size   int64
}

func (d dataFile) object() object { return fileObject(d.path, d.sha256, d.size) }

// dataFolder holds the synthetic files, which nginx serves as they are.
func (s *settings) dataFolder() string { return filepath.Join(s.Work, "data") }

// data makes a file of content, or finds the one that an earlier run made.
func (s *settings) data(kind dataKind, size int64) (dataFile, error) {
	name := filepath.Join(s.dataFolder(), fmt.Sprintf("%s-%d", kind, size))
	if sum, err := os.ReadFile(name + ".sha256"); err == nil {
		return dataFile{name, string(sum), size}, nil
	}
	s.say("writing %s of %s", byteSize(size), kind)
	d, err := writeData(name, func(w io.Writer) error { return generate(w, kind, size, 1) })
	if err != nil {
		return dataFile{}, err
	}
	return d, os.WriteFile(name+".sha256", []byte(d.sha256), 0o600)
}

// writeData makes a file and hashes it on the way.
func writeData(name string, fill func(io.Writer) error) (d dataFile, err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return dataFile{}, err
	}
	f, err := os.Create(name)
	if err != nil {
		return dataFile{}, err
	}
	defer f.Close()
	sum := sha256.New()
	buffered := bufio.NewWriterSize(io.MultiWriter(f, sum), 1<<20)
	if err := fill(buffered); err != nil {
		return dataFile{}, err
	}
	if err := buffered.Flush(); err != nil {
		return dataFile{}, err
	}
	size, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return dataFile{}, err
	}
	return dataFile{name, hex.EncodeToString(sum.Sum(nil)), size}, f.Sync()
}

// generate writes size bytes of a kind; a seed always gives the same ones.
func generate(w io.Writer, kind dataKind, size int64, seed uint64) error {
	var fill func([]byte)
	switch kind {
	case weights:
		fill = fillWeights(seed)
	case lines:
		fill = fillLines(seed)
	case twos:
		fill = fillQuantised(seed, 2)
	case fours:
		fill = fillQuantised(seed, 4)
	default:
		source := noise(seed)
		fill = func(p []byte) { source.Read(p) }
	}
	block := make([]byte, 1<<20)
	for size > 0 {
		part := block[:min(size, int64(len(block)))]
		fill(part)
		if _, err := w.Write(part); err != nil {
			return err
		}
		size -= int64(len(part))
	}
	return nil
}

// randSource is the randomness of the families.
func randSource() *rand.Rand { return rand.New(noise(3)) }

func noise(seed uint64) *rand.ChaCha8 {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	return rand.NewChaCha8(key)
}

// fillWeights yields bfloat16 values with a standard deviation of 0.02.
func fillWeights(seed uint64) func([]byte) {
	source := rand.New(noise(seed))
	return func(p []byte) {
		for i := 0; i+1 < len(p); i += 2 {
			bits := math.Float32bits(float32(source.NormFloat64() * 0.02))
			binary.LittleEndian.PutUint16(p[i:], uint16(bits>>16))
		}
	}
}

// fillQuantised yields weights in blocks of a scale and 32 numbers.
func fillQuantised(seed uint64, bits int) func([]byte) {
	fill := fillWeights(seed)
	tensor := make([]byte, 1<<20)
	return fillFrom(func() []byte {
		fill(tensor)
		return quantise(tensor, bits)
	})
}

// fillFrom yields what next yields, cut anywhere.
func fillFrom(next func() []byte) func([]byte) {
	var rest []byte
	return func(p []byte) {
		for len(p) > 0 {
			if len(rest) == 0 {
				rest = next()
			}
			n := copy(p, rest)
			p, rest = p[n:], rest[n:]
		}
	}
}

// fillLines yields JSON lines.
func fillLines(seed uint64) func([]byte) {
	source := rand.New(noise(seed))
	id := 0
	return fillFrom(func() []byte {
		id++
		return appendLine(nil, source, id)
	})
}

func appendLine(dst []byte, source *rand.Rand, id int) []byte {
	dst = fmt.Appendf(dst, `{"id": %d, "score": %.4f, "text": "`, id, source.Float64())
	for range 8 + source.IntN(30) {
		// Few words are frequent and many are rare, as in language.
		word := int(math.Exp(source.Float64() * 9))
		dst = fmt.Appendf(dst, "w%x ", word*2654435761%(1<<28))
	}
	return append(dst, "\"}\n"...)
}
