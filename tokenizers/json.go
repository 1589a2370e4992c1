package tokenizers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonReader reads JSON in one pass and in place: a tokenizer.json is up to
// tens of megabytes of strings, on which encoding/json spends seconds. Small
// parts go to encoding/json.
type jsonReader struct {
	data []byte
	at   int
	buf  []byte // of strings with escapes
}

func (r *jsonReader) errorf(format string, args ...any) error {
	return fmt.Errorf("%w: JSON at byte %d: %s", ErrFormat, r.at, fmt.Sprintf(format, args...))
}

// peek is the next byte that is not white space; 0 at the end.
func (r *jsonReader) peek() byte {
	for r.at < len(r.data) {
		switch c := r.data[r.at]; c {
		case ' ', '\t', '\n', '\r':
			r.at++
		default:
			return c
		}
	}
	return 0
}

func (r *jsonReader) expect(c byte) error {
	if r.peek() != c {
		return r.errorf("expected %q", c)
	}
	r.at++
	return nil
}

// object calls f for every key, which f must use before it reads the value.
func (r *jsonReader) object(f func(key []byte) error) error {
	if err := r.expect('{'); err != nil {
		return err
	}
	if r.peek() == '}' {
		r.at++
		return nil
	}
	for {
		key, err := r.str()
		if err != nil {
			return err
		}
		if err := r.expect(':'); err != nil {
			return err
		}
		if err := f(key); err != nil {
			return err
		}
		if r.peek() == ',' {
			r.at++
			continue
		}
		return r.expect('}')
	}
}

// array calls f for every element, which f must read.
func (r *jsonReader) array(f func() error) error {
	if err := r.expect('['); err != nil {
		return err
	}
	if r.peek() == ']' {
		r.at++
		return nil
	}
	for {
		if err := f(); err != nil {
			return err
		}
		if r.peek() == ',' {
			r.at++
			continue
		}
		return r.expect(']')
	}
}

// str reads a string. The result is good until the next one is read.
func (r *jsonReader) str() ([]byte, error) {
	if err := r.expect('"'); err != nil {
		return nil, err
	}
	rest := r.data[r.at:]
	end := bytes.IndexByte(rest, '"')
	if end < 0 {
		return nil, r.errorf("a string without an end")
	}
	if bytes.IndexByte(rest[:end], '\\') < 0 {
		r.at += end + 1
		if !utf8.Valid(rest[:end]) {
			return nil, r.errorf("a string is not UTF-8")
		}
		return rest[:end], nil
	}
	return r.escaped()
}

func (r *jsonReader) escaped() ([]byte, error) {
	out := r.buf[:0]
	for r.at < len(r.data) {
		c := r.data[r.at]
		switch {
		case c == '"':
			r.at++
			r.buf = out
			if !utf8.Valid(out) {
				return nil, r.errorf("a string is not UTF-8")
			}
			return out, nil
		case c != '\\':
			out = append(out, c)
			r.at++
			continue
		case r.at+1 >= len(r.data):
			return nil, r.errorf("a string without an end")
		}
		c = r.data[r.at+1]
		r.at += 2
		switch c {
		case '"', '\\', '/':
			out = append(out, c)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			u, err := r.hex4()
			if err != nil {
				return nil, err
			}
			if utf16.IsSurrogate(u) {
				if !bytes.HasPrefix(r.data[r.at:], []byte(`\u`)) {
					return nil, r.errorf("half a surrogate pair")
				}
				r.at += 2
				low, err := r.hex4()
				if err != nil {
					return nil, err
				}
				if u = utf16.DecodeRune(u, low); u == utf8.RuneError {
					return nil, r.errorf("half a surrogate pair")
				}
			}
			out = utf8.AppendRune(out, u)
		default:
			return nil, r.errorf("bad escape \\%c", c)
		}
	}
	return nil, r.errorf("a string without an end")
}

func (r *jsonReader) hex4() (rune, error) {
	if r.at+4 > len(r.data) {
		return 0, r.errorf("a string without an end")
	}
	v, err := strconv.ParseUint(string(r.data[r.at:r.at+4]), 16, 16)
	if err != nil {
		return 0, r.errorf("bad escape")
	}
	r.at += 4
	return rune(v), nil
}

// number reads the text of a number.
func (r *jsonReader) number() ([]byte, error) {
	r.peek()
	from := r.at
	for r.at < len(r.data) {
		switch c := r.data[r.at]; {
		case c >= '0' && c <= '9', c == '-', c == '+', c == '.', c == 'e', c == 'E':
			r.at++
			continue
		}
		break
	}
	if from == r.at {
		return nil, r.errorf("expected a number")
	}
	return r.data[from:r.at], nil
}

// id reads a token id.
func (r *jsonReader) id() (ID, error) {
	text, err := r.number()
	if err != nil {
		return 0, err
	}
	v := uint64(0)
	for _, c := range text {
		if c < '0' || c > '9' || v > 1<<32 {
			return 0, r.errorf("%.20q is no token id", text)
		}
		v = v*10 + uint64(c-'0')
	}
	if v >= uint64(noID) {
		return 0, r.errorf("%.20q is no token id", text)
	}
	return ID(v), nil
}

func (r *jsonReader) float() (float64, error) {
	text, err := r.number()
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return 0, r.errorf("%.20q is no number", text)
	}
	return v, nil
}

// raw passes over a value and returns its text. That it is well formed inside
// is for its reader to find.
func (r *jsonReader) raw() ([]byte, error) {
	first := r.peek()
	from := r.at
	switch first {
	case 0:
		return nil, r.errorf("it ends too early")
	case '{', '[':
	case '"':
		if err := r.passString(); err != nil {
			return nil, err
		}
		return r.data[from:r.at], nil
	default:
		for r.at < len(r.data) && bytes.IndexByte([]byte(",]} \t\r\n"), r.data[r.at]) < 0 {
			r.at++
		}
		return r.data[from:r.at], nil
	}
	for depth := 0; r.at < len(r.data); {
		switch r.data[r.at] {
		case '"':
			if err := r.passString(); err != nil {
				return nil, err
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				r.at++
				return r.data[from:r.at], nil
			}
		}
		r.at++
	}
	return nil, r.errorf("it ends too early")
}

func (r *jsonReader) passString() error {
	r.at++
	for {
		i := bytes.IndexByte(r.data[r.at:], '"')
		if i < 0 {
			return r.errorf("a string without an end")
		}
		r.at += i + 1
		// An odd number of backslashes before it makes the quote part of the
		// string.
		slashes := 0
		for k := r.at - 2; k >= 0 && r.data[k] == '\\'; k-- {
			slashes++
		}
		if slashes%2 == 0 {
			return nil
		}
	}
}

// fields are the values of an object, by key.
func fields(data []byte) (map[string][]byte, error) {
	r := &jsonReader{data: data}
	out := map[string][]byte{}
	err := r.object(func(key []byte) error {
		name := string(key)
		value, err := r.raw()
		out[name] = value
		return err
	})
	if err == nil && r.peek() != 0 {
		err = r.errorf("more after its end")
	}
	return out, err
}

// absent reports whether a field is missing or null.
func absent(raw []byte) bool { return len(raw) == 0 || string(raw) == "null" }

// unmarshal reads a small part.
func unmarshal(raw []byte, to any) error {
	if absent(raw) {
		return nil
	}
	if err := json.Unmarshal(raw, to); err != nil {
		return fmt.Errorf("%w: %.80s: %w", ErrFormat, raw, err)
	}
	return nil
}
