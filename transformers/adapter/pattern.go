package adapter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// Patterns are values for the layers whose paths end as a pattern says. The
// first that matches counts, as in PEFT, so they keep the order of the file.
type Patterns[T any] []pattern[T]

type pattern[T any] struct {
	key   string
	re    *regexp.Regexp // nil for a key without another metacharacter than "."
	value T
}

// maxPatterns bounds the patterns of one file: a large mixture of experts may
// list each of its layers.
const maxPatterns = 20_000

// UnmarshalJSON reads an object whose keys are Python's regular expressions. One
// that Go does not know is an error: without it a layer would be scaled wrong.
func (p *Patterns[T]) UnmarshalJSON(data []byte) error {
	*p = nil
	if bytes.Equal(data, []byte("null")) {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return fmt.Errorf("patterns: want an object, got %.20s", data)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		next := pattern[T]{key: key.(string)} // the decoder lets nothing else be a key
		if err := d.Decode(&next.value); err != nil {
			return err
		}
		if strings.ContainsAny(next.key, `\+*?()|[]{}^$`) {
			if next.re, err = regexp.Compile(`^(.*\.)?(` + next.key + `)$`); err != nil {
				return fmt.Errorf("pattern %q: %w", next.key, err)
			}
		}
		if *p = append(*p, next); len(*p) > maxPatterns {
			return fmt.Errorf("over %d patterns", maxPatterns)
		}
	}
	return nil
}

// of is the value for a layer, or otherwise.
func (p Patterns[T]) of(layer string, otherwise T) T {
	for i := range p {
		if p[i].matches(layer) {
			return p[i].value
		}
	}
	return otherwise
}

// matches reports whether the path is the key, or ends with it after a dot. A
// dot of the key is any character.
func (p *pattern[T]) matches(layer string) bool {
	if p.re != nil {
		return p.re.MatchString(layer)
	}
	from := len(layer) - len(p.key)
	if from < 0 || from > 0 && layer[from-1] != '.' {
		return false
	}
	for i := len(p.key) - 1; i >= 0; i-- {
		if p.key[i] != '.' && p.key[i] != layer[from+i] {
			return false
		}
	}
	return true
}
