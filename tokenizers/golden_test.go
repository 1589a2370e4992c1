package tokenizers_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pantryhub/pantry/tokenizers"
)

// readGzip reads a file of testdata.
func readGzip(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// tokenizerJSON is a tokenizer.json of testdata. Its charsmap, which is big, is
// kept once, in a SentencePiece model: field 3 (normalizer_spec), field 2.
func tokenizerJSON(t testing.TB, name string) []byte {
	t.Helper()
	data := readGzip(t, name+".json.gz")
	const hole = "@unigram.model"
	if !bytes.Contains(data, []byte(hole)) {
		return data
	}
	spec := protoField(t, readGzip(t, "unigram.model.gz"), 3)
	blob := base64.StdEncoding.EncodeToString(protoField(t, spec, 2))
	return bytes.ReplaceAll(data, []byte(hole), []byte(blob))
}

// protoField finds a field of bytes in a protocol buffer message.
func protoField(t testing.TB, message []byte, number uint64) []byte {
	t.Helper()
	for len(message) > 0 {
		tag, n := binary.Uvarint(message)
		message = message[n:]
		switch tag & 7 {
		case 0:
			_, n := binary.Uvarint(message)
			message = message[n:]
		case 5:
			message = message[4:]
		case 2:
			size, n := binary.Uvarint(message)
			value := message[n : n+int(size)]
			if tag>>3 == number {
				return value
			}
			message = message[n+int(size):]
		default:
			t.Fatalf("wire type %d", tag&7)
		}
	}
	t.Fatalf("no field %d", number)
	return nil
}

func loadTokenizer(t testing.TB, name string) *tokenizers.Tokenizer {
	t.Helper()
	if strings.HasSuffix(name, ".model") {
		tok, err := tokenizers.FromSentencePiece(readGzip(t, name+".gz"))
		if err != nil {
			t.Fatal(err)
		}
		// The library itself does not look for <s> in the text.
		return tok.WithSplitSpecialTokens(true)
	}
	tok, err := tokenizers.FromJSON(tokenizerJSON(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// hashOf is hash_of of make.py.
func hashOf(t testing.TB, name string, c *corpusData, tok *tokenizers.Tokenizer, i int) uint64 {
	if !strings.HasSuffix(name, ".model") {
		return hashOfEncoding(t, c, tok, i)
	}
	ids, err := tok.AppendIDs(nil, c.string(i), false)
	if err != nil {
		t.Fatalf("string %d %q: %v", i, c.string(i), err)
	}
	h := uint64(fnvStart)
	for _, id := range ids {
		h = fnv(h, id)
	}
	return fnv(h, uint32(len(ids)))
}

func hashOfEncoding(t testing.TB, c *corpusData, tok *tokenizers.Tokenizer, i int) uint64 {
	text := c.string(i)
	h := uint64(fnvStart)
	add := func(e tokenizers.Encoding, err error, texts ...string) {
		if err != nil {
			t.Fatalf("string %d %q: %v", i, texts, err)
		}
		first := e.RuneOffsets(texts[0], 0)
		var second [][2]int
		if len(texts) > 1 {
			second = e.RuneOffsets(texts[1], 1)
		}
		for k, id := range e.IDs {
			offsets := first[k]
			if e.Sequences[k] == 1 {
				offsets = second[k]
			}
			h = fnv(h, id)
			h = fnv(h, uint32(offsets[0]))
			h = fnv(h, uint32(offsets[1]))
			h = fnv(h, uint32(e.Words[k]+1)<<8|uint32(e.TypeIDs[k]))
		}
		h = fnv(h, uint32(len(e.IDs)))
		if i%8 == 0 {
			out, err := tok.Decode(e.IDs, i%3 == 0)
			if err != nil {
				t.Fatalf("string %d %q: %v", i, texts, err)
			}
			for _, b := range []byte(out) {
				h = fnv(h, uint32(b))
			}
		}
	}
	e, err := tok.Encode(text, true)
	add(e, err, text)
	if i%16 == 0 {
		next := c.string(i + 1)
		e, err := tok.EncodePair(text, next, true)
		add(e, err, text, next)
	}
	return h
}

const (
	corpusSize = 100_000
	blockSize  = 1000
)

// TestGolden compares ids, offsets, words, types and decoded text of 100,000
// strings per tokenizer with what the Rust library made of them
// (a tenth of them with -short). To find the
// string that differs, run "make.py strings NAME FILE" and this test with
// TOKENIZERS_HASHES=FILE.
func TestGolden(t *testing.T) {
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden map[string]string
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/*.gz")
	if err != nil || len(files) != len(golden) {
		t.Fatalf("%d tokenizers, %d of them in golden.json; %v", len(files), len(golden), err)
	}
	corpus := loadCorpus(t)
	for name, want := range golden {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tok := loadTokenizer(t, name)
			if each := os.Getenv("TOKENIZERS_HASHES"); each != "" {
				compareEach(t, name, corpus, tok, each)
				return
			}
			step := blockSize
			if testing.Short() {
				step = 10 * blockSize
			}
			for block := 0; block < corpusSize; block += step {
				h := uint64(fnvStart)
				for i := block; i < block+blockSize; i++ {
					one := hashOf(t, name, corpus, tok, i)
					h = fnv(fnv(h, uint32(one)), uint32(one>>32))
				}
				at := block / blockSize * 16
				if got := fmt.Sprintf("%016x", h); got != want[at:at+16] {
					t.Errorf("strings %d to %d: hash %s, want %s", block, block+blockSize, got, want[at:at+16])
				}
			}
		})
	}
}

func compareEach(t *testing.T, name string, corpus *corpusData, tok *tokenizers.Tokenizer, file string) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	different := 0
	for i, want := range strings.Fields(string(data)) {
		if got := fmt.Sprintf("%016x", hashOf(t, name, corpus, tok, i)); got != want {
			if different++; different <= 20 {
				e, _ := tok.Encode(corpus.string(i), true)
				t.Errorf("string %d %+q: ids %v offsets %v words %v", i, corpus.string(i), e.IDs, e.RuneOffsets(corpus.string(i), 0), e.Words)
			}
		}
	}
	t.Logf("%d strings differ", different)
}
