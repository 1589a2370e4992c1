package tokenizers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pantryhub/pantry/gguf"
)

// FromGGUF reads the vocabulary inside a GGUF file: tokenizer.ggml.model llama
// (SentencePiece BPE), gpt2 (byte-level BPE, with the pre-tokenizer named by
// tokenizer.ggml.pre), bert (WordPiece) or t5 (SentencePiece unigram). Special
// tokens go around the text where the file, or llama.cpp's default, says so.
func FromGGUF(h *gguf.Header) (*Tokenizer, error) {
	g := ggufVocab{Header: h}
	if err := g.read(); err != nil {
		return nil, fmt.Errorf("GGUF vocabulary: %w", err)
	}
	c, err := g.chain()
	if err != nil {
		return nil, fmt.Errorf("GGUF vocabulary: %w", err)
	}
	return c.tokenizer()
}

type ggufVocab struct {
	*gguf.Header
	kind   string
	tokens []string
	scores []float64 // nil if there are none
	types  []float64 // pieceType of each token; nil if there are none
}

const ggufPrefix = "tokenizer.ggml."

func (g *ggufVocab) read() error {
	var ok bool
	if g.kind, ok = g.Text(ggufPrefix + "model"); !ok {
		return fmt.Errorf("%w: no %smodel", ErrFormat, ggufPrefix)
	}
	var err error
	if g.tokens, err = g.Strings(ggufPrefix + "tokens"); err != nil {
		return err
	}
	if len(g.tokens) == 0 || len(g.tokens) > maxTokens {
		return fmt.Errorf("%w: %d tokens", ErrFormat, len(g.tokens))
	}
	for key, to := range map[string]*[]float64{"scores": &g.scores, "token_type": &g.types} {
		if n, ok := g.ArrayLen(ggufPrefix + key); !ok {
			continue
		} else if n != len(g.tokens) {
			return fmt.Errorf("%w: %d %s of %d tokens", ErrFormat, n, key, len(g.tokens))
		}
		if *to, err = g.Numbers(ggufPrefix + key); err != nil {
			return err
		}
	}
	return nil
}

func (g *ggufVocab) chain() (*chain, error) {
	switch g.kind {
	case "llama":
		return g.sentencePiece(true, true, false)
	case "t5":
		return g.sentencePiece(false, false, true)
	case "gpt2":
		return g.byteBPE()
	case "bert":
		return g.wordPiece()
	}
	return nil, fmt.Errorf("%w: the model %q is not known, only llama, gpt2, bert and t5", ErrFormat, g.kind)
}

func (g *ggufVocab) flag(key string, fallback bool) bool {
	if v, ok := g.Bool(ggufPrefix + key); ok {
		return v
	}
	return fallback
}

// id is a token id by its role ("bos"); -1 if the file has none.
func (g *ggufVocab) id(role string) int {
	if v, ok := g.Uint(ggufPrefix + role + "_token_id"); ok && v < uint64(len(g.tokens)) {
		return int(v)
	}
	return -1
}

func (g *ggufVocab) kindOf(i int) pieceType {
	if g.types == nil {
		return pieceNormal
	}
	return pieceType(g.types[i])
}

// frame puts BOS before the text and EOS after it.
func (g *ggufVocab) frame(c *chain, bos, eos int) {
	var before, after []frame
	if bos >= 0 {
		before = []frame{special(ID(bos), 0)}
	}
	if eos >= 0 {
		after = []frame{special(ID(eos), 0)}
	}
	c.post.single = slices.Concat(before, plainSingle, after)
	c.post.pair = slices.Concat(before, plainSingle, after, before, []frame{{text: 1, typeID: 1}}, after)
}

func (g *ggufVocab) frameByFlags(c *chain, bos, eos bool) {
	b, e := -1, -1
	if g.flag("add_bos_token", bos) {
		b = g.id("bos")
	}
	if g.flag("add_eos_token", eos) {
		e = g.id("eos")
	}
	g.frame(c, b, e)
}

// name is a token's text by role; "" for none.
func (g *ggufVocab) name(role string) string {
	if id := g.id(role); id >= 0 {
		return g.tokens[id]
	}
	return ""
}

func (g *ggufVocab) specials() Special {
	return Special{
		BOS: g.name("bos"), EOS: g.name("eos"), UNK: g.name("unknown"), PAD: g.name("padding"),
		SEP: g.name("seperator"), CLS: g.name("cls"), Mask: g.name("mask"), // the format spells it so
	}
}

// added are the tokens that are cut out of the text.
func (g *ggufVocab) added() []AddedToken {
	var out []AddedToken
	for i, text := range g.tokens {
		switch g.kindOf(i) {
		case pieceControl, pieceUnknown:
			out = append(out, AddedToken{Content: text, Special: true})
		case pieceUserDefined:
			out = append(out, AddedToken{Content: text})
		}
	}
	return out
}

func (g *ggufVocab) sentencePiece(bpe, bos, eos bool) (*chain, error) {
	m := &spmModel{
		bpe: bpe, byteFallback: bpe, unk: g.id("unknown"), escape: true, bos: g.id("bos"), eos: g.id("eos"), pad: g.id("padding"),
		dummyPrefix: g.flag("add_space_prefix", true), trimSpaces: g.flag("remove_extra_whitespaces", !bpe),
	}
	if raw, err := g.Numbers(ggufPrefix + "precompiled_charsmap"); err == nil {
		m.charsmap = make([]byte, len(raw))
		for i, b := range raw {
			m.charsmap[i] = byte(int(b))
		}
	}
	for i, text := range g.tokens {
		p := spmPiece{text: text, kind: g.kindOf(i)}
		if g.scores != nil {
			p.score = float32(g.scores[i])
		}
		if p.kind == pieceUnknown && m.unk < 0 {
			m.unk = i
		}
		m.pieces = append(m.pieces, p)
	}
	if m.unk < 0 {
		return nil, fmt.Errorf("%w: no unknown token", ErrFormat)
	}
	c, err := m.chain(nil)
	if err != nil {
		return nil, err
	}
	c.added = g.added()
	c.special = g.specials()
	g.frameByFlags(c, bos, eos)
	return c, nil
}

func (g *ggufVocab) vocab() (*vocab, error) {
	v := newVocab(len(g.tokens))
	for i, text := range g.tokens {
		if err := v.add([]byte(text), ID(i)); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (g *ggufVocab) byteBPE() (*chain, error) {
	v, err := g.vocab()
	if err != nil {
		return nil, err
	}
	if _, ok := g.ArrayLen(ggufPrefix + "merges"); !ok {
		return nil, fmt.Errorf("%w: no merges", ErrFormat)
	}
	lines, err := g.Strings(ggufPrefix + "merges")
	if err != nil {
		return nil, err
	}
	b := mergeBuilder{vocab: v}
	for _, line := range lines {
		if err := b.addLine([]byte(line)); err != nil {
			return nil, err
		}
	}
	name, _ := g.Text(ggufPrefix + "pre")
	pre, ok := ggufPreTokenizers[name]
	if !ok {
		return nil, fmt.Errorf("%w: the pre-tokenizer %q is not known", ErrFormat, name)
	}
	c := &chain{decoder: byteLevelDecoder{}, added: g.added(), special: g.specials()}
	var words preTokenizerSequence
	for _, expr := range pre.patterns {
		m, err := newMatcher(expr)
		if err != nil {
			return nil, err
		}
		words = append(words, &splitter{pattern: m, behavior: isolated})
	}
	c.preTokenizer = append(words, newByteLevel(g.flag("add_space_prefix", false), false))
	if c.model, err = newBPE(v, b.merges, bpeOptions{byteLevel: true, ignoreMerges: pre.ignoreMerges}); err != nil {
		return nil, err
	}
	g.frameByFlags(c, pre.bos, false)
	return c, nil
}

// wordPiece undoes what the conversion to GGUF did: words begin with ▁ there,
// and their other tokens with nothing.
func (g *ggufVocab) wordPiece() (*chain, error) {
	v := newVocab(len(g.tokens))
	for i, text := range g.tokens {
		word, begins := strings.CutPrefix(text, spaceMark)
		switch {
		case begins:
		case g.kindOf(i) != pieceNormal || strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]"):
			word = text
		default:
			word = "##" + text
		}
		if err := v.add([]byte(word), ID(i)); err != nil {
			return nil, err
		}
	}
	unk := g.name("unknown")
	c := &chain{
		normalizer: newBertNormalizer(), preTokenizer: bertPreTokenizer(), model: newWordPiece(v, unk, "##", 100),
		decoder: wordPieceDecoder{prefix: "##", cleanup: true}, added: g.added(), special: g.specials(),
	}
	cls, sep := g.id("cls"), g.id("seperator")
	if cls < 0 {
		cls = g.id("bos")
	}
	if sep < 0 {
		sep = g.id("eos")
	}
	if cls < 0 || sep < 0 {
		return nil, fmt.Errorf("%w: no tokens for the ends of a text", ErrFormat)
	}
	c.post = bertFrames(ID(sep), ID(cls))
	return c, nil
}

// ggufPre is a pre-tokenizer of llama.cpp: patterns that split one after the
// other.
type ggufPre struct {
	patterns     []string
	ignoreMerges bool
	bos          bool // a BOS token goes before the text unless the file says no
}

const (
	deepseekPattern = `[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_` + "`" + `{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*` + spaceTail
	bloomPattern    = ` ?[^(\s|.,!?…。，、।۔،)]+`
)

// ggufPreTokenizers are llama.cpp's, by name (llama-vocab.cpp).
var ggufPreTokenizers = func() map[string]ggufPre {
	all := map[string]ggufPre{}
	for names, pre := range map[string]ggufPre{
		"llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2": {patterns: []string{llamaPattern}, ignoreMerges: true, bos: true},
		"dbrx smaug-bpe chatglm-bpe glm4":                                   {patterns: []string{llamaPattern}},
		"qwen2 stablelm2 deepseek-r1-qwen kormo megrez":                     {patterns: []string{qwenPattern}},
		"qwen35":                       {patterns: []string{qwenMPattern}},
		"gpt-4o llama4":                {patterns: []string{gpt4oPattern}},
		"tekken":                       {patterns: []string{tekkenPattern}, ignoreMerges: true, bos: true},
		"deepseek-v3":                  {patterns: []string{`\p{N}{1,3}`, `[一-龥぀-ゟ゠-ヿ]+`, deepseekPattern}},
		"deepseek-coder":               {patterns: []string{`[\r\n]`, `\s?\p{L}+`, `\s?\p{P}+`, `[一-龥ࠀ-一가-퟿]+`, `\p{N}`}},
		"falcon":                       {patterns: []string{"[\\p{P}\\$\\+<=>\\^~\\|`]+", gpt2Pattern, `[0-9][0-9][0-9]`}},
		"bloom poro-chat gpt3-finnish": {patterns: []string{bloomPattern}},
		"viking":                       {patterns: []string{bloomPattern, `\p{N}`}},
		"starcoder refact command-r smollm codeshell exaone minerva-7b":                                                                        {patterns: []string{`\p{N}`, gpt2Pattern}},
		"gpt-2 phi-2 mpt olmo jais trillion jina-es jina-de jina-v2-es jina-v2-de gigachat a.x-4.0 mellum roberta-bpe jina-v1-en jina-v2-code": {patterns: []string{gpt2Pattern}},
		"default": {patterns: []string{`[\p{P}\$\+<=>\^~\|]+`, gpt2Pattern, `\p{N}+`, `[0-9][0-9][0-9]`}},
	} {
		for name := range strings.FieldsSeq(names) {
			all[name] = pre
		}
	}
	all[""] = all["default"]
	return all
}()
