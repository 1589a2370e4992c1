package tokenizers

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// list parses the elements of a sequence.
func list[T any](raw []byte, depth int, parse func([]byte, int) (T, error)) ([]T, error) {
	var elements []json.RawMessage
	if err := unmarshal(raw, &elements); err != nil {
		return nil, err
	}
	out := make([]T, 0, len(elements))
	for _, e := range elements {
		if absent(e) {
			return nil, fmt.Errorf("%w: nothing in a sequence", ErrFormat)
		}
		one, err := parse(e, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

// parsePattern reads {"String": …} or {"Regex": …}.
func parsePattern(raw []byte) (matcher, error) {
	var f struct {
		String *string `json:"String"`
		Regex  *string `json:"Regex"`
	}
	if err := unmarshal(raw, &f); err != nil {
		return nil, err
	}
	switch {
	case f.String != nil:
		return literal(*f.String), nil
	case f.Regex == nil:
		return nil, fmt.Errorf("%w: pattern %.80s", ErrFormat, raw)
	}
	return newMatcher(*f.Regex)
}

// newMatcher is the quickest matcher of a regular expression.
func newMatcher(expr string) (matcher, error) {
	if s := scannerFor(expr); s != nil {
		return s, nil
	}
	return compilePattern(expr)
}

func parseNormalizer(raw []byte, depth int) (normalizer, error) {
	if absent(raw) {
		return nil, nil
	}
	kind, f, err := typed(raw, depth)
	if err != nil {
		return nil, err
	}
	c := classes()
	switch kind {
	case "Sequence":
		all, err := list(f["normalizers"], depth, parseNormalizer)
		return normalizerSequence(all), err
	case "NFC":
		return unicodeForm{classes: c, compose: true}, nil
	case "NFD":
		return unicodeForm{classes: c}, nil
	case "NFKC":
		return unicodeForm{classes: c, compat: true, compose: true}, nil
	case "NFKD":
		return unicodeForm{classes: c, compat: true}, nil
	case "Lowercase":
		return lowercase{c}, nil
	case "StripAccents":
		return stripAccents{c}, nil
	case "Nmt":
		return nmt{}, nil
	case "ByteLevel":
		return byteLevelMapper{}, nil
	case "Strip":
		n := stripSpaces{c, true, true}
		err := firstOf(unmarshal(f["strip_left"], &n.left), unmarshal(f["strip_right"], &n.right))
		return n, err
	case "Prepend":
		var s string
		err := unmarshal(f["prepend"], &s)
		return prepender(s), err
	case "Replace":
		return parseReplace(f)
	case "Precompiled":
		var text string
		if err := unmarshal(f["precompiled_charsmap"], &text); err != nil {
			return nil, err
		}
		blob, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("%w: charsmap: %w", ErrFormat, err)
		}
		return newCharsmap(blob)
	case "BertNormalizer", "Bert":
		b := newBertNormalizer()
		var accents *bool
		err := firstOf(unmarshal(f["clean_text"], &b.clean), unmarshal(f["handle_chinese_chars"], &b.chinese),
			unmarshal(f["lowercase"], &b.lowers), unmarshal(f["strip_accents"], &accents))
		b.accents = b.lowers
		if accents != nil {
			b.accents = *accents
		}
		return b, err
	}
	return nil, fmt.Errorf("%w: unknown normalizer %q", ErrFormat, kind)
}

func newBertNormalizer() *bertNormalizer {
	c := classes()
	return &bertNormalizer{classes: c, clean: true, chinese: true, accents: true, lowers: true, decompose: unicodeForm{classes: c}}
}

func parseReplace(f map[string][]byte) (replacer, error) {
	var r replacer
	var err error
	if r.pattern, err = parsePattern(f["pattern"]); err != nil {
		return r, err
	}
	err = unmarshal(f["content"], &r.content)
	return r, err
}

// firstOf is the first error of several.
func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func parsePreTokenizer(raw []byte, depth int) (preTokenizer, error) {
	if absent(raw) {
		return nil, nil
	}
	kind, f, err := typed(raw, depth)
	if err != nil {
		return nil, err
	}
	c := classes()
	switch kind {
	case "Sequence":
		all, err := list(f["pretokenizers"], depth, parsePreTokenizer)
		var flat preTokenizerSequence
		for _, one := range all {
			if inner, ok := one.(preTokenizerSequence); ok {
				flat = append(flat, inner...)
			} else {
				flat = append(flat, one)
			}
		}
		return flat, err
	case "BertPreTokenizer":
		return bertPreTokenizer(), nil
	case "ByteLevel":
		prefix, regex := true, true
		err := firstOf(unmarshal(f["add_prefix_space"], &prefix), unmarshal(f["use_regex"], &regex))
		return newByteLevel(prefix, regex), err
	case "Whitespace":
		return whitespace{c}, nil
	case "WhitespaceSplit":
		return &classSplitter{c, isWhite, removed}, nil
	case "Punctuation":
		b, err := behaviorOf(f["behavior"], "Isolated")
		return &classSplitter{c, isBertPunctuation, b}, err
	case "Digits":
		each := false
		err := unmarshal(f["individual_digits"], &each)
		if each {
			return &classSplitter{c, isNumeric, isolated}, err
		}
		return &classSplitter{c, isNumeric, contiguous}, err
	case "CharDelimiterSplit", "Delimiter":
		var s string
		err := unmarshal(f["delimiter"], &s)
		return &splitter{pattern: literal(s), behavior: removed}, err
	case "Metaspace":
		return parseMetaspace(f)
	case "Split":
		return parseSplit(f)
	case "UnicodeScripts":
		return unicodeScripts{scripts()}, nil
	case "FixedLength":
		n := 5
		if err := unmarshal(f["length"], &n); err != nil || n <= 0 {
			return nil, fmt.Errorf("%w: length %d of FixedLength", ErrFormat, n)
		}
		return fixedLength(n), nil
	}
	return nil, fmt.Errorf("%w: unknown pre-tokenizer %q", ErrFormat, kind)
}

func bertPreTokenizer() preTokenizerSequence {
	c := classes()
	return preTokenizerSequence{&classSplitter{c, isWhite, removed}, &classSplitter{c, isBertPunctuation, isolated}}
}

func newByteLevel(prefixSpace, regex bool) *byteLevel {
	b := &byteLevel{prefixSpace: prefixSpace, mapBytes: true}
	if regex {
		b.split = &splitter{pattern: scannerFor(gpt2Pattern), behavior: isolated}
	}
	return b
}

func behaviorOf(raw []byte, fallback string) (behavior, error) {
	if err := unmarshal(raw, &fallback); err != nil {
		return 0, err
	}
	return parseBehavior(fallback)
}

func parseSplit(f map[string][]byte) (preTokenizer, error) {
	s := &splitter{}
	var err error
	if s.pattern, err = parsePattern(f["pattern"]); err != nil {
		return nil, err
	}
	if s.behavior, err = behaviorOf(f["behavior"], "Isolated"); err != nil {
		return nil, err
	}
	err = unmarshal(f["invert"], &s.invert)
	return s, err
}

// metaspaceFields reads what the pre-tokenizer and the decoder share.
func metaspaceFields(f map[string][]byte) (replacement string, scheme prependScheme, err error) {
	replacement = "▁"
	name := "always"
	var prefix *bool
	if err := firstOf(unmarshal(f["replacement"], &replacement), unmarshal(f["prepend_scheme"], &name),
		unmarshal(f["add_prefix_space"], &prefix)); err != nil {
		return "", 0, err
	}
	if utf8.RuneCountInString(replacement) != 1 {
		return "", 0, fmt.Errorf("%w: Metaspace's replacement %q is not one character", ErrFormat, replacement)
	}
	switch name {
	case "always":
	case "first":
		scheme = prependFirst
	case "never":
		scheme = prependNever
	default:
		return "", 0, fmt.Errorf("%w: unknown prepend_scheme %q", ErrFormat, name)
	}
	if prefix != nil && !*prefix {
		scheme = prependNever
	}
	return replacement, scheme, nil
}

func parseMetaspace(f map[string][]byte) (preTokenizer, error) {
	replacement, scheme, err := metaspaceFields(f)
	if err != nil {
		return nil, err
	}
	split := true
	err = unmarshal(f["split"], &split)
	return newMetaspace(replacement, scheme, split), err
}

func parseDecoder(raw []byte, depth int) (decoder, error) {
	if absent(raw) {
		return nil, nil
	}
	kind, f, err := typed(raw, depth)
	if err != nil {
		return nil, err
	}
	switch kind {
	case "Sequence":
		all, err := list(f["decoders"], depth, parseDecoder)
		return decoderSequence(all), err
	case "ByteLevel":
		return byteLevelDecoder{}, nil
	case "WordPiece":
		d := wordPieceDecoder{prefix: "##", cleanup: true}
		err := firstOf(unmarshal(f["prefix"], &d.prefix), unmarshal(f["cleanup"], &d.cleanup))
		return d, err
	case "Metaspace":
		replacement, scheme, err := metaspaceFields(f)
		return metaspaceDecoder{replacement, scheme}, err
	case "BPEDecoder":
		suffix := "</w>"
		err := unmarshal(f["suffix"], &suffix)
		return suffixDecoder(suffix), err
	case "ByteFallback":
		return byteFallbackDecoder{}, nil
	case "Fuse":
		return fuseDecoder{}, nil
	case "Strip":
		var d stripDecoder
		var content string
		err := firstOf(unmarshal(f["content"], &content), unmarshal(f["start"], &d.start), unmarshal(f["stop"], &d.stop))
		d.content, _ = utf8.DecodeRuneInString(content)
		return d, err
	case "Replace":
		return parseReplace(f)
	case "CTC":
		d := ctcDecoder{pad: "<pad>", delimiter: "|", cleanup: true}
		err := firstOf(unmarshal(f["pad_token"], &d.pad), unmarshal(f["word_delimiter_token"], &d.delimiter), unmarshal(f["cleanup"], &d.cleanup))
		return d, err
	}
	return nil, fmt.Errorf("%w: unknown decoder %q", ErrFormat, kind)
}

func parsePostProcessor(raw []byte, p *postProcessor, depth int) error {
	if absent(raw) {
		return nil
	}
	kind, f, err := typed(raw, depth)
	if err != nil {
		return err
	}
	prefix, trim := true, true
	if kind == "ByteLevel" || kind == "RobertaProcessing" {
		if err := firstOf(unmarshal(f["add_prefix_space"], &prefix), unmarshal(f["trim_offsets"], &trim)); err != nil {
			return err
		}
		if trim {
			p.trims = append(p.trims, trimming{prefix})
		}
	}
	switch kind {
	case "ByteLevel":
		return nil
	case "Sequence":
		var all []json.RawMessage
		if err := unmarshal(f["processors"], &all); err != nil {
			return err
		}
		for _, one := range all {
			if err := parsePostProcessor(one, p, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	if p.single != nil {
		return fmt.Errorf("%w: two templates in a row", ErrFormat)
	}
	trims := p.trims
	switch kind {
	case "BertProcessing", "RobertaProcessing":
		sep, err := processingToken(f["sep"])
		if err != nil {
			return err
		}
		cls, err := processingToken(f["cls"])
		if err != nil {
			return err
		}
		*p = bertFrames(sep, cls)
		if kind == "RobertaProcessing" {
			*p = robertaFrames(sep, cls)
		}
	case "TemplateProcessing":
		if err := parseTemplate(f, p); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%w: unknown post-processor %q", ErrFormat, kind)
	}
	p.trims = trims
	return nil
}

// processingToken reads ["[SEP]", 102].
func processingToken(raw []byte) (ID, error) {
	var pair []json.RawMessage
	if err := unmarshal(raw, &pair); err != nil {
		return 0, err
	}
	if len(pair) != 2 {
		return 0, fmt.Errorf("%w: special token %.80s", ErrFormat, raw)
	}
	var id ID
	err := unmarshal(pair[1], &id)
	return id, err
}

func parseTemplate(f map[string][]byte, p *postProcessor) error {
	var specials map[string]struct {
		IDs []ID `json:"ids"`
	}
	if err := unmarshal(f["special_tokens"], &specials); err != nil {
		return err
	}
	ids := map[string][]ID{}
	for name, s := range specials {
		ids[name] = s.IDs
	}
	var err error
	if p.single, err = parseFrames(f["single"], ids); err != nil {
		return err
	}
	p.pair, err = parseFrames(f["pair"], ids)
	return err
}

// parseFrames reads a template: a list of {"Sequence": …} and
// {"SpecialToken": …}.
func parseFrames(raw []byte, specials map[string][]ID) ([]frame, error) {
	type part struct {
		ID     string `json:"id"`
		TypeID uint8  `json:"type_id"`
	}
	var parts []struct {
		Sequence     *part `json:"Sequence"`
		SpecialToken *part `json:"SpecialToken"`
	}
	if err := unmarshal(raw, &parts); err != nil {
		return nil, err
	}
	frames := []frame{}
	for _, one := range parts {
		switch {
		case one.Sequence != nil && (one.Sequence.ID == "A" || one.Sequence.ID == "B"):
			frames = append(frames, frame{text: int(one.Sequence.ID[0] - 'A'), typeID: one.Sequence.TypeID})
		case one.SpecialToken != nil:
			ids, ok := specials[one.SpecialToken.ID]
			if !ok {
				return nil, fmt.Errorf("%w: the template's special token %q is not defined", ErrFormat, one.SpecialToken.ID)
			}
			frames = append(frames, frame{text: -1, ids: ids, typeID: one.SpecialToken.TypeID})
		default:
			return nil, fmt.Errorf("%w: template %.80s", ErrFormat, raw)
		}
	}
	return frames, nil
}
