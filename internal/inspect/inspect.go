package inspect

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/pantryhub/pantry/gguf"
	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/safetensors"
)

// parallel is how many headers are read at once.
const parallel = 8

// maxShown is how many names one message lists.
const maxShown = 12

// Folder describes the model in a folder: a checkpoint with config.json, a
// GGUF file, or a PEFT adapter. Of several GGUF models it is the one that
// gguf.Choose picks; ModelFile describes another.
func Folder(fsys fs.FS) (*Report, error) {
	files, err := list(fsys)
	if err != nil {
		return nil, err
	}
	r := &Report{Files: files, Types: map[string]int64{}, WeightFiles: []File{}}
	weights, err := safetensorsFiles(fsys, files)
	if err != nil {
		return nil, err
	}
	if len(weights) == 0 {
		if models := gguf.Models(paths(files)); len(models) > 0 {
			return r, r.chooseGGUF(fsys, models, "")
		}
		r.notePickles()
	}
	if err := r.readConfig(fsys, weights); err != nil {
		return nil, err
	}
	if r.Architecture == "" && r.Format == "" && r.Adapter == nil && len(r.Notes) == 0 {
		return nil, hub.Errorf(hub.CodeInvalid, "There is no model: neither config.json nor safetensors nor GGUF files.")
	}
	return r, nil
}

// Variant describes the GGUF model of a folder that gguf.Choose picks for
// want, such as "Q4_K_M".
func Variant(fsys fs.FS, want string) (*Report, error) {
	files, err := list(fsys)
	if err != nil {
		return nil, err
	}
	r := &Report{Files: files, Types: map[string]int64{}, WeightFiles: []File{}}
	return r, r.chooseGGUF(fsys, gguf.Models(paths(files)), want)
}

// ModelFile describes one .gguf file (with its other parts, if it is split) or
// one .safetensors file of a folder.
func ModelFile(fsys fs.FS, name string) (*Report, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	r := &Report{Files: []File{{name, info.Size()}}, Types: map[string]int64{}, WeightFiles: []File{}}
	switch strings.ToLower(path.Ext(name)) {
	case ".gguf":
		parts, err := partsOf(fsys, name)
		if err != nil {
			return nil, err
		}
		r.Files = parts
		return r, r.readGGUF(fsys, parts)
	case ".safetensors":
		return r, r.readSafetensors(fsys, r.Files, safetensors.Quantization{}, 0)
	case ".bin", ".pt", ".pth", ".ckpt", ".pkl":
		return nil, hub.Errorf(hub.CodeUnsupported, "%s", pickleNote(name))
	}
	return nil, hub.Invalidf("%s is neither a .gguf nor a .safetensors file.", name)
}

// list is every file of a folder, without hidden folders.
func list(fsys fs.FS) ([]File, error) {
	files := []File{}
	err := fs.WalkDir(fsys, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			if name != "." && strings.HasPrefix(e.Name(), ".") {
				return fs.SkipDir
			}
			return nil
		}
		info, err := fs.Stat(fsys, name) // through links, of which a cache is made
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if info.Mode().IsRegular() {
			files = append(files, File{name, info.Size()})
		}
		return nil
	})
	return files, err
}

// safetensorsFiles chooses the files that hold the model: those of the index,
// model.safetensors, an adapter's, or all of the top folder.
func safetensorsFiles(fsys fs.FS, files []File) ([]File, error) {
	size := map[string]int64{}
	for _, f := range files {
		size[f.Path] = f.Size
	}
	for _, name := range []string{"model.safetensors", "adapter_model.safetensors"} {
		if n, ok := size[name]; ok {
			return []File{{name, n}}, nil
		}
	}
	index, ok, err := readIndex(fsys)
	if err != nil {
		return nil, err
	}
	var weights []File
	if ok {
		for _, name := range index.Shards() {
			n, ok := size[name]
			if !ok {
				return nil, hub.Errorf(hub.CodeInvalid, "The index names %s, which is not there.", name)
			}
			weights = append(weights, File{name, n})
		}
		return weights, nil
	}
	for _, f := range files {
		if path.Dir(f.Path) == "." && strings.HasSuffix(f.Path, ".safetensors") {
			weights = append(weights, f)
		}
	}
	return weights, nil
}

func readIndex(fsys fs.FS) (*safetensors.Index, bool, error) {
	src, ok, err := readJSON(fsys, "model.safetensors.index.json")
	if err != nil || !ok {
		return nil, false, err
	}
	index, err := safetensors.ParseIndex(src)
	return index, err == nil, err
}

// readConfig fills the report of a checkpoint of safetensors files.
func (r *Report) readConfig(fsys fs.FS, weights []File) error {
	src, ok, err := readJSON(fsys, "config.json")
	if err != nil {
		return err
	}
	var c config
	if ok {
		if c, err = parseConfig(src); err != nil {
			return err
		}
	}
	r.Architecture, r.ModelType, r.Shape = c.architecture(), string(c.ModelType), c.shape()
	var quantization safetensors.Quantization
	quantization, r.Quantization = c.quantization()
	var claimed int64
	if len(weights) > 1 {
		index, ok, err := readIndex(fsys)
		if err != nil {
			return err
		}
		if ok {
			claimed = index.TotalParameters
		}
	}
	if len(weights) > 0 {
		if err := r.readSafetensors(fsys, weights, quantization, claimed); err != nil {
			return err
		}
	}
	if err := r.readAdapter(fsys); err != nil {
		return err
	}
	return r.readTokenizer(fsys)
}

// readSafetensors reads the headers of the weights' files.
func (r *Report) readSafetensors(fsys fs.FS, weights []File, q safetensors.Quantization, claimed int64) error {
	headers := make([]*safetensors.Header, len(weights))
	err := readHeaders(fsys, weights, func(i int, at io.ReaderAt) (err error) {
		headers[i], err = safetensors.ReadHeader(at, weights[i].Size, safetensors.MaxHeader)
		return err
	})
	if err != nil {
		return err
	}
	r.Format, r.WeightFiles = "safetensors", weights
	for i, h := range headers {
		for _, t := range h.Tensors {
			r.WeightBytes += t.Size
			r.Tensors = append(r.Tensors, Tensor{t.Name, string(t.DType), t.Shape, t.Size, weights[i].Path})
		}
	}
	if len(headers) == 1 {
		claimed = headers[0].Claimed()
	}
	summary := safetensors.Summarize(headers, q, claimed)
	r.Parameters, r.Types = summary.Total, summary.Parameters
	return nil
}

// readHeaders calls read with each of the files, several at once.
func readHeaders(fsys fs.FS, files []File, read func(i int, at io.ReaderAt) error) error {
	var group errgroup.Group
	group.SetLimit(parallel)
	for i, file := range files {
		group.Go(func() error {
			f, err := fsys.Open(file.Path)
			if err != nil {
				return err
			}
			defer f.Close()
			at, ok := f.(io.ReaderAt)
			if !ok {
				return fmt.Errorf("%s cannot be read at an offset", file.Path)
			}
			if err := read(i, at); err != nil {
				return fmt.Errorf("%s: %w", file.Path, err)
			}
			return nil
		})
	}
	return group.Wait()
}

func (r *Report) readAdapter(fsys fs.FS) error {
	src, ok, err := readJSON(fsys, "adapter_config.json")
	if err != nil || !ok {
		return err
	}
	var a struct {
		Type text  `json:"peft_type"`
		Base text  `json:"base_model_name_or_path"`
		Rank count `json:"r"`
	}
	if err := json.Unmarshal(src, &a); err != nil {
		return fmt.Errorf("adapter_config.json: %w", err)
	}
	r.Adapter = &Adapter{Type: string(a.Type), BaseModel: string(a.Base), Rank: int64(a.Rank)}
	return nil
}

// tokenizerFiles are looked for in this order.
var tokenizerFiles = []struct{ name, kind string }{
	{"tokenizer.json", ""}, {"spiece.model", "SentencePiece"}, {"sentencepiece.bpe.model", "SentencePiece"},
	{"tokenizer.model", "SentencePiece"}, {"source.spm", "SentencePiece"}, {"merges.txt", "BPE"}, {"vocab.txt", "WordPiece"},
}

func (r *Report) readTokenizer(fsys fs.FS) error {
	for _, t := range tokenizerFiles {
		if r.has(t.name) {
			r.Tokenizer = strings.TrimSuffix(t.name+", "+t.kind, ", ")
			break
		}
	}
	r.ChatTemplate = r.has("chat_template.jinja") || r.has("chat_template.json")
	src, ok, err := readJSON(fsys, "tokenizer_config.json")
	if err != nil || !ok {
		return err
	}
	var t struct {
		Class    text            `json:"tokenizer_class"`
		Template json.RawMessage `json:"chat_template"`
	}
	if err := json.Unmarshal(src, &t); err != nil {
		return fmt.Errorf("tokenizer_config.json: %w", err)
	}
	if t.Class != "" && r.Tokenizer != "" {
		r.Tokenizer += ", " + string(t.Class)
	}
	r.ChatTemplate = r.ChatTemplate || len(t.Template) > 0 && string(t.Template) != "null"
	return nil
}

func (r *Report) has(name string) bool {
	return slices.ContainsFunc(r.Files, func(f File) bool { return f.Path == name })
}

var pickle = regexp.MustCompile(`(?i)\.(?:bin|pt|pth|ckpt|pkl)$`)

func pickleNote(name string) string {
	return name + " is a PyTorch pickle: a program that runs when it is loaded. It is not opened; save the model as safetensors " +
		`(model.save_pretrained(".", safe_serialization=True)).`
}

// notePickles says so when the only weights are pickles.
func (r *Report) notePickles() {
	for _, f := range r.Files {
		if path.Dir(f.Path) == "." && pickle.MatchString(f.Path) {
			r.Notes = append(r.Notes, pickleNote(f.Path))
			return
		}
	}
}

// chooseGGUF describes the model that want means, and names the others.
func (r *Report) chooseGGUF(fsys fs.FS, models [][]string, want string) error {
	chosen, err := gguf.Choose(models, want)
	if err != nil {
		return hub.Invalidf("%s", err.Error())
	}
	if others := len(models) - 1; others > 0 {
		var names []string
		for _, m := range models {
			if m[0] != chosen[0] && len(names) < maxShown {
				names = append(names, m[0])
			}
		}
		if more := others - len(names); more > 0 {
			names = append(names, fmt.Sprintf("and %d more", more))
		}
		r.Notes = append(r.Notes, fmt.Sprintf("This is %s. There are also: %s.", chosen[0], strings.Join(names, ", ")))
	}
	return r.readGGUF(fsys, sized(r.Files, chosen))
}

func paths(files []File) []string {
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = f.Path
	}
	return names
}

// sized are the files with the names.
func sized(files []File, names []string) []File {
	var chosen []File
	for _, f := range files {
		if slices.Contains(names, f.Path) {
			chosen = append(chosen, f)
		}
	}
	slices.SortFunc(chosen, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	return chosen
}

// partsOf is a GGUF file and the other parts of its model.
func partsOf(fsys fs.FS, name string) ([]File, error) {
	entries, err := fs.ReadDir(fsys, path.Dir(name))
	if err != nil {
		return nil, err
	}
	var files []File
	for _, e := range entries {
		at := path.Join(path.Dir(name), e.Name())
		if info, err := fs.Stat(fsys, at); err == nil && info.Mode().IsRegular() {
			files = append(files, File{at, info.Size()})
		}
	}
	for _, m := range gguf.Models(paths(files)) {
		if slices.Contains(m, name) {
			return sized(files, m), nil
		}
	}
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	return []File{{name, info.Size()}}, nil
}
