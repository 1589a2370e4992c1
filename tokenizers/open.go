package tokenizers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// maxFile bounds the files that Open reads.
const maxFile = 512 << 20

// Open reads the tokenizer of a model's folder: tokenizer.json, or else the
// older files of its class (tokenizer_class in tokenizer_config.json, or
// model_type in config.json): vocab.txt, vocab.json with merges.txt, or a
// SentencePiece model. tokenizer_config.json adds the names of special tokens.
//
// A folder without any of those gives an error that wraps fs.ErrNotExist.
func Open(fsys fs.FS) (*Tokenizer, error) {
	f := folder{fsys: fsys}
	if err := f.readConfig(); err != nil {
		return nil, err
	}
	t, err := f.tokenizer()
	if err != nil {
		return nil, err
	}
	t.special = f.merge(t.special)
	return t, nil
}

// folder is a model's folder.
type folder struct {
	fsys   fs.FS
	config tokenizerConfig
	class  string // in lower case, without "Tokenizer" and "Fast"
	added  []AddedToken
}

// tokenizerConfig is tokenizer_config.json.
type tokenizerConfig struct {
	Class        string          `json:"tokenizer_class"`
	BOS          specialName     `json:"bos_token"`
	EOS          specialName     `json:"eos_token"`
	UNK          specialName     `json:"unk_token"`
	PAD          specialName     `json:"pad_token"`
	CLS          specialName     `json:"cls_token"`
	SEP          specialName     `json:"sep_token"`
	Mask         specialName     `json:"mask_token"`
	AddBOS       *bool           `json:"add_bos_token"`
	AddEOS       *bool           `json:"add_eos_token"`
	AddPrefix    *bool           `json:"add_prefix_space"`
	Legacy       *bool           `json:"legacy"`
	LowerCase    *bool           `json:"do_lower_case"`
	StripAccents *bool           `json:"strip_accents"`
	Chinese      *bool           `json:"tokenize_chinese_chars"`
	KeepAccents  bool            `json:"keep_accents"`
	ExtraIDs     *int            `json:"extra_ids"`
	MaxLength    json.RawMessage `json:"model_max_length"`
	Added        map[string]struct {
		Content    string `json:"content"`
		SingleWord bool   `json:"single_word"`
		LStrip     bool   `json:"lstrip"`
		RStrip     bool   `json:"rstrip"`
		Normalized bool   `json:"normalized"`
		Special    bool   `json:"special"`
	} `json:"added_tokens_decoder"`
}

// specialName is a token: a string, or an object with its content.
type specialName string

// UnmarshalJSON reads either form.
func (s *specialName) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '{' {
		var token struct {
			Content string `json:"content"`
		}
		err := json.Unmarshal(data, &token)
		*s = specialName(token.Content)
		return err
	}
	var text *string
	err := json.Unmarshal(data, &text)
	if text != nil {
		*s = specialName(*text)
	}
	return err
}

// read reads a file; nil if there is none.
func (f *folder) read(name string) ([]byte, error) {
	info, err := fs.Stat(f.fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%w: %s has %d bytes", ErrFormat, name, info.Size())
	}
	return fs.ReadFile(f.fsys, name)
}

// first reads the first file that there is.
func (f *folder) first(names ...string) ([]byte, error) {
	for _, name := range names {
		if data, err := f.read(name); data != nil || err != nil {
			return data, err
		}
	}
	return nil, nil
}

func (f *folder) readConfig() error {
	for _, name := range []string{"special_tokens_map.json", "tokenizer_config.json"} {
		data, err := f.read(name)
		if err != nil {
			return err
		}
		if err := unmarshal(data, &f.config); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	class := f.config.Class
	if class == "" {
		var model struct {
			Type string `json:"model_type"`
		}
		data, err := f.read("config.json")
		if err != nil {
			return err
		}
		if err := unmarshal(data, &model); err != nil {
			return fmt.Errorf("config.json: %w", err)
		}
		class = model.Type
	}
	f.class = strings.ToLower(strings.NewReplacer("Tokenizer", "", "Fast", "", "-", "", "_", "").Replace(class))
	return f.readAdded()
}

// readAdded collects the added tokens of the configuration, by id.
func (f *folder) readAdded() error {
	for key, t := range f.config.Added {
		var id ID
		if err := unmarshal([]byte(key), &id); err != nil {
			return err
		}
		f.added = append(f.added, AddedToken{id, t.Content, t.SingleWord, t.LStrip, t.RStrip, t.Normalized, t.Special})
	}
	if len(f.added) == 0 {
		var byContent map[string]ID
		data, err := f.read("added_tokens.json")
		if err != nil {
			return err
		}
		if err := unmarshal(data, &byContent); err != nil {
			return fmt.Errorf("added_tokens.json: %w", err)
		}
		for content, id := range byContent {
			f.added = append(f.added, AddedToken{ID: id, Content: content, Normalized: !f.names(content), Special: f.names(content)})
		}
	}
	slices.SortFunc(f.added, func(a, b AddedToken) int { return int(int64(a.ID) - int64(b.ID)) })
	return nil
}

// names reports whether a token has a role.
func (f *folder) names(content string) bool {
	c := &f.config
	return content != "" && slices.Contains([]specialName{c.BOS, c.EOS, c.UNK, c.PAD, c.CLS, c.SEP, c.Mask}, specialName(content))
}

// merge puts the configuration's special tokens over those of a file.
func (f *folder) merge(s Special) Special {
	c := &f.config
	for to, from := range map[*string]specialName{
		&s.BOS: c.BOS, &s.EOS: c.EOS, &s.UNK: c.UNK, &s.PAD: c.PAD, &s.CLS: c.CLS, &s.SEP: c.SEP, &s.Mask: c.Mask,
	} {
		if from != "" {
			*to = string(from)
		}
	}
	// transformers writes 1e30 for no limit.
	var limit float64
	if json.Unmarshal(c.MaxLength, &limit) == nil && limit > 0 && limit < 1<<31 {
		s.MaxLength = int(limit)
	}
	return s
}

func (f *folder) tokenizer() (*Tokenizer, error) {
	data, err := f.read("tokenizer.json")
	if err != nil {
		return nil, err
	}
	if data != nil {
		return FromJSON(data)
	}
	for _, load := range []func() (*chain, error){f.marian, f.sentencePiece, f.bytePair, f.wordPiece} {
		c, err := load()
		if err != nil {
			return nil, err
		}
		if c != nil {
			return f.finish(c)
		}
	}
	return nil, fmt.Errorf("no tokenizer.json, SentencePiece model, vocab.json with merges.txt, or vocab.txt: %w", fs.ErrNotExist)
}

// finish adds the tokens of the configuration and builds the tokenizer.
func (f *folder) finish(c *chain) (*Tokenizer, error) {
	v := c.model.vocabulary()
	at := make(map[string]int, len(c.added)+len(f.added))
	for i, t := range c.added {
		at[t.Content] = i
	}
	for _, t := range f.added {
		if i, ok := at[t.Content]; ok {
			c.added[i] = t
			continue
		}
		at[t.Content] = len(c.added)
		c.added = append(c.added, t)
	}
	c.special = f.merge(c.special)
	for _, name := range []string{c.special.BOS, c.special.EOS, c.special.UNK, c.special.PAD, c.special.CLS, c.special.SEP, c.special.Mask} {
		_, known := at[name]
		if _, ok := v.find([]byte(name)); ok && !known && name != "" {
			at[name] = len(c.added)
			c.added = append(c.added, AddedToken{Content: name, Special: true})
		}
	}
	return c.tokenizer()
}

// or is the value of an optional setting.
func or[T any](p *T, fallback T) T {
	if p == nil {
		return fallback
	}
	return *p
}

// wordPiece reads vocab.txt: a token per line, in the order of their ids.
func (f *folder) wordPiece() (*chain, error) {
	data, err := f.read("vocab.txt")
	if data == nil || err != nil {
		return nil, err
	}
	v := newVocab(bytes.Count(data, []byte{'\n'}))
	for i, line := range bytes.Split(bytes.TrimSuffix(data, []byte{'\n'}), []byte{'\n'}) {
		if err := v.add(bytes.TrimSuffix(line, []byte{'\r'}), ID(i)); err != nil {
			return nil, err
		}
	}
	names := Special{UNK: "[UNK]", SEP: "[SEP]", PAD: "[PAD]", CLS: "[CLS]", Mask: "[MASK]"}
	if f.class == "mpnet" {
		names = Special{BOS: "<s>", EOS: "</s>", UNK: "[UNK]", SEP: "</s>", PAD: "<pad>", CLS: "<s>", Mask: "<mask>"}
	}
	names = f.merge(names)
	norm := newBertNormalizer()
	norm.lowers = or(f.config.LowerCase, true)
	norm.accents = or(f.config.StripAccents, norm.lowers)
	norm.chinese = or(f.config.Chinese, true)
	c := &chain{
		normalizer: norm, preTokenizer: bertPreTokenizer(), model: newWordPiece(v, names.UNK, "##", 100),
		decoder: wordPieceDecoder{prefix: "##", cleanup: true}, special: names,
	}
	sep, cls, err := ends(v, names.SEP, names.CLS)
	if err != nil {
		return nil, err
	}
	c.post = bertFrames(sep, cls)
	if f.class == "mpnet" {
		c.post = robertaFrames(sep, cls)
		c.added = append(c.added, AddedToken{Content: names.Mask, LStrip: true, Special: true})
	}
	return c, nil
}

// ends finds the tokens around a text.
func ends(v *vocab, sep, cls string) (ID, ID, error) {
	s, ok := v.find([]byte(sep))
	c, ok2 := v.find([]byte(cls))
	if !ok || !ok2 {
		return 0, 0, fmt.Errorf("%w: the vocabulary lacks %q or %q", ErrFormat, cls, sep)
	}
	return s, c, nil
}

// bytePair reads vocab.json and merges.txt.
func (f *folder) bytePair() (*chain, error) {
	data, err := f.read("vocab.json")
	if data == nil || err != nil {
		return nil, err
	}
	lines, err := f.read("merges.txt")
	if lines == nil || err != nil {
		return nil, err
	}
	v, err := parseVocab(data)
	if err != nil {
		return nil, fmt.Errorf("vocab.json: %w", err)
	}
	b := mergeBuilder{vocab: v}
	for line := range bytes.Lines(lines) {
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			continue
		}
		if err := b.addLine(line); err != nil {
			return nil, fmt.Errorf("merges.txt: %w", err)
		}
	}
	c := &chain{decoder: byteLevelDecoder{}}
	options := bpeOptions{byteLevel: true}
	prefix := or(f.config.AddPrefix, false)
	switch f.class {
	case "roberta", "bart", "longformer", "led", "blenderbot", "mvp", "camembert", "deberta":
		c.preTokenizer = newByteLevel(prefix, true)
		c.special = f.merge(Special{BOS: "<s>", EOS: "</s>", UNK: "<unk>", SEP: "</s>", PAD: "<pad>", CLS: "<s>", Mask: "<mask>"})
		sep, cls, err := ends(v, c.special.SEP, c.special.CLS)
		if err != nil {
			return nil, err
		}
		c.post = robertaFrames(sep, cls)
		c.post.trims = []trimming{{prefix}}
		c.added = append(c.added, AddedToken{Content: c.special.Mask, LStrip: true, Special: true})
	case "clip":
		err = f.clip(c, v, &options)
	case "qwen2", "qwen3", "qwen2moe", "qwen3moe":
		c.normalizer = unicodeForm{classes: classes(), compose: true}
		c.preTokenizer = preTokenizerSequence{&splitter{pattern: scannerFor(qwenPattern), behavior: isolated}, newByteLevel(prefix, false)}
		c.special = Special{EOS: "<|endoftext|>", PAD: "<|endoftext|>"}
	default:
		c.preTokenizer = newByteLevel(prefix, true)
		c.special = Special{BOS: "<|endoftext|>", EOS: "<|endoftext|>", UNK: "<|endoftext|>"}
		c.special = f.merge(c.special)
		if id, ok := v.find([]byte(c.special.BOS)); ok && or(f.config.AddBOS, false) {
			c.post.single = []frame{special(id, 0), {text: 0}}
			c.post.pair = []frame{special(id, 0), {text: 0}, special(id, 1), {text: 1, typeID: 1}}
		}
	}
	if err != nil {
		return nil, err
	}
	c.model, err = newBPE(v, b.merges, options)
	return c, err
}

const clipPattern = `'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`

func (f *folder) clip(c *chain, v *vocab, options *bpeOptions) error {
	c.special = f.merge(Special{BOS: "<|startoftext|>", EOS: "<|endoftext|>", UNK: "<|endoftext|>", PAD: "<|endoftext|>"})
	spaces, err := newMatcher(`\s+`)
	if err != nil {
		return err
	}
	words, err := newMatcher(clipPattern)
	if err != nil {
		return err
	}
	cl := classes()
	c.normalizer = normalizerSequence{unicodeForm{classes: cl, compose: true}, replacer{spaces, " "}, lowercase{cl}}
	c.preTokenizer = preTokenizerSequence{&splitter{words, removed, true}, newByteLevel(false, false)}
	*options = bpeOptions{suffix: "</w>", unkToken: c.special.UNK}
	sep, cls, err := ends(v, c.special.EOS, c.special.BOS)
	c.post = robertaFrames(sep, cls)
	return err
}
