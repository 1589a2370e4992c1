package tokenizers_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pantryhub/pantry/tokenizers"
)

// folder is a file that folders.py made.
type folder struct {
	files  fstest.MapFS
	hashes string // four digits per string of the corpus; 0000 is not compared
}

func loadFolder(t *testing.T, name string) folder {
	t.Helper()
	var raw struct {
		Files  map[string]string
		Hashes string
	}
	if err := json.Unmarshal(readGzip(t, "folders/"+name+".json.gz"), &raw); err != nil {
		t.Fatal(err)
	}
	f := folder{fstest.MapFS{}, raw.Hashes}
	for file, text := range raw.Files {
		if name, ok := strings.CutPrefix(text, "@"); ok {
			f.files[file] = &fstest.MapFile{Data: readGzip(t, name)}
			continue
		}
		data, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		f.files[file] = &fstest.MapFile{Data: data}
	}
	return f
}

// TestOpenOldFiles compares folders without tokenizer.json with what
// transformers makes of them.
func TestOpenOldFiles(t *testing.T) {
	paths, err := filepath.Glob("testdata/folders/*.json.gz")
	if err != nil || len(paths) < 10 {
		t.Fatalf("only %d folders; %v", len(paths), err)
	}
	corpus := loadCorpus(t)
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".json.gz")
		t.Run(name, func(t *testing.T) {
			f := loadFolder(t, name)
			tok, err := tokenizers.Open(f.files)
			if err != nil {
				t.Fatal(err)
			}
			different := 0
			for i := range len(f.hashes) / 4 {
				ids, err := tok.AppendIDs(nil, corpus.string(i), true)
				if err != nil {
					t.Fatal(err)
				}
				h := uint64(fnvStart)
				for _, id := range ids {
					h = fnv(h, id)
				}
				want, err := strconv.ParseUint(f.hashes[4*i:4*i+4], 16, 16)
				if err != nil {
					t.Fatal(err)
				}
				if want != 0 && h>>48 != want {
					if different++; different <= 5 {
						t.Errorf("string %d %+q: %v", i, corpus.string(i), ids)
					}
				}
			}
			if different > 0 {
				t.Errorf("%d strings differ", different)
			}
		})
	}
}

func TestOpenEmptyFolder(t *testing.T) {
	if _, err := tokenizers.Open(fstest.MapFS{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty folder gives %v", err)
	}
}

// TestMarianSpelling: a piece that source.spm does not know is looked up by its
// text in vocab.json, which has those of the other language too, as Python does.
func TestMarianSpelling(t *testing.T) {
	f := loadFolder(t, "marian")
	var vocab map[string]int
	if err := json.Unmarshal(f.files["vocab.json"].Data, &vocab); err != nil {
		t.Fatal(err)
	}
	const strange = "ꙮ"
	if _, known := vocab[strange]; known {
		t.Fatalf("%s is in the vocabulary", strange)
	}
	encode := func() []tokenizers.ID {
		tok, err := tokenizers.Open(f.files)
		if err != nil {
			t.Fatal(err)
		}
		e, err := tok.Encode(strange, false)
		if err != nil {
			t.Fatal(err)
		}
		return e.IDs
	}
	unknown := tokenizers.ID(vocab["<unk>"])
	if got := encode(); !slices.Contains(got, unknown) {
		t.Fatalf("%v without the piece, want %d among them", got, unknown)
	}
	vocab[strange] = len(vocab)
	f.files["vocab.json"].Data, _ = json.Marshal(vocab)
	if got := encode(); slices.Contains(got, unknown) || !slices.Contains(got, tokenizers.ID(vocab[strange])) {
		t.Errorf("%v with the piece, want %d among them", got, vocab[strange])
	}
}
