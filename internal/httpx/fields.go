package httpx

import (
	"net/http"
	"strings"
)

// Fields are header fields that many responses have in common, made once. The
// zero value is none.
type Fields struct {
	header http.Header
	text   string // the same, as it travels
}

// fieldTaker is a ResponseWriter that takes header fields as they travel, and
// sends them beside those of its Header. internal/http1 has one.
type fieldTaker interface {
	AddFields(text string)
}

// lineBreaks are what must not be in the value of a field: it would end it.
var lineBreaks = strings.NewReplacer("\r", " ", "\n", " ", "\x00", " ")

// NewFields makes Fields of names and values in turn. Each name comes once.
func NewFields(pairs ...string) Fields {
	f := Fields{header: make(http.Header, len(pairs)/2)}
	var b strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		name := http.CanonicalHeaderKey(pairs[i])
		f.header[name] = pairs[i+1 : i+2 : i+2]
		b.WriteString(name + ": " + lineBreaks.Replace(pairs[i+1]) + "\r\n")
	}
	f.text = b.String()
	return f
}

// Set sets the fields in a header.
func (f Fields) Set(h http.Header) {
	for name, values := range f.header {
		h[name] = values
	}
}

// Send has a response sent with the fields. They may not be in its Header, then
// or later: whoever must still change one of them uses Set.
func (f Fields) Send(w http.ResponseWriter) {
	if rec, ok := w.(*recorder); ok {
		w = rec.ResponseWriter
	}
	if t, ok := w.(fieldTaker); ok {
		t.AddFields(f.text)
		return
	}
	f.Set(w.Header())
}
