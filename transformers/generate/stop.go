package generate

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// Stopper passes on the text of a stream until a stop string appears in it. It
// holds back what may yet become one, and the first bytes of a character that
// is not complete, so that what it gave need never be taken back.
type Stopper struct {
	stops   [][]byte
	held    []byte
	stopped string
}

// NewStopper is a stopper for these strings, of which none is empty.
func NewStopper(stops []string) *Stopper {
	s := &Stopper{}
	for _, x := range stops {
		s.stops = append(s.stops, []byte(x))
	}
	return s
}

// Push adds a piece of text, of any length, which may begin or end within a
// character. It gives the text that is safe to show. done says that a stop
// string has come: the text ends before it, and whatever is pushed later is
// dropped.
func (s *Stopper) Push(piece string) (text string, done bool) {
	if s.stopped != "" {
		return "", true
	}
	from := len(s.held)
	s.held = append(s.held, piece...)
	if at, stop := s.find(from); at >= 0 {
		s.stopped = stop
		text = valid(s.held[:at])
		s.held = s.held[:0]
		return text, true
	}
	n := len(s.held) - s.hold()
	text = valid(s.held[:n])
	s.held = s.held[:copy(s.held, s.held[n:])]
	return text, false
}

// find is the first stop string that ends behind from; of two that begin at
// the same place the longer. It gives -1 if there is none.
func (s *Stopper) find(from int) (int, string) {
	at := -1
	var stop []byte
	for _, x := range s.stops {
		start := max(0, from-len(x)+1)
		i := bytes.Index(s.held[start:], x)
		if i < 0 {
			continue
		}
		if i += start; at < 0 || i < at || i == at && len(x) > len(stop) {
			at, stop = i, x
		}
	}
	return at, string(stop)
}

func valid(b []byte) string { return strings.ToValidUTF8(string(b), "\ufffd") }

// hold is the number of bytes at the end that may belong to a stop string or
// to an incomplete character.
func (s *Stopper) hold() int {
	n := incomplete(s.held)
	for _, x := range s.stops {
		for k := min(len(x)-1, len(s.held)); k > n; k-- {
			if bytes.HasSuffix(s.held, x[:k]) {
				n = k
				break
			}
		}
	}
	return n
}

// incomplete is the length of the first part of a character at the end of b.
func incomplete(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		c := b[len(b)-n]
		if utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(b[len(b)-n:]) {
				return n
			}
			return 0
		}
	}
	return 0
}

// Stopped is the stop string that has come, "" if none has.
func (s *Stopper) Stopped() string { return s.stopped }

// Flush gives what was held back, at the end of the stream.
func (s *Stopper) Flush() string {
	text := valid(s.held)
	s.held = s.held[:0]
	return text
}
