package hubapi

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/repo"
)

// readCommit reads a whole commit body.
func readCommit(body io.Reader, contentType string) (ops []repo.Operation, err error) {
	c := newCommitReader(body, contentType)
	if _, err := c.header(); err != nil {
		return nil, err
	}
	for op, err := range c.operations() {
		if err != nil {
			return ops, err
		}
		ops = append(ops, op)
	}
	return ops, nil
}

func TestCommitReader(t *testing.T) {
	const header = `{"key":"header","value":{"summary":"x"}}` + "\n"
	sha := strings.Repeat("ab", 32)
	tests := []struct {
		name, kind, body string
		want             string // kind and path of each operation
		code             hub.Code
	}{
		{"no operation", ndjson, header, "", ""},
		{"no line end", ndjson, header + `{"key":"file","value":{"path":"a","content":"x"}}`, "put a", ""},
		{"blank lines and CRLF", ndjson, header + "\n \r\n" + `{"key":"file","value":{"path":"a"}}` + "\r\n\n", "put a", ""},
		{"order", ndjson, header + `{"key":"deletedFolder","value":{"path":"d/"}}` + "\n" + `{"key":"lfsFile","value":{"path":"l","oid":"` + sha + `"}}` + "\n" +
			`{"key":"deletedEntry","value":{"path":"e"}}` + "\n" + `{"key":"deletedFile","value":{"path":"f"}}`, "rmdir d/, large l, rm e, unlink f", ""},
		{"null size", ndjson, header + `{"key":"lfsFile","value":{"path":"l","algo":"sha256","oid":"` + sha + `","size":null}}`, "large l", ""},
		{"other algo", ndjson, header + `{"key":"lfsFile","value":{"path":"l","algo":"md5","oid":"` + sha + `"}}`, "", hub.CodeInvalid},
		{"no type", "", header + `{"key":"file","value":{"path":"a"}}`, "put a", ""},
		{"second header", ndjson, header + header, "", hub.CodeInvalid},
		{"value of another kind", ndjson, header + `{"key":"file","value":[1]}`, "", hub.CodeInvalid},
		{"two values in a line", ndjson, header + `{"key":"file","value":{"path":"a"}} {}`, "", hub.CodeInvalid},
		{"legacy", "application/json; charset=utf-8", `{"summary":"x","files":[{"path":"a","content":"eA==","encoding":"base64"}],"lfsFiles":[{"path":"l","oid":"` + sha + `"}],"deletedEntries":[{"path":"e"}],"deletedFiles":[{"path":"f"}]}`,
			"put a, large l, rm e, rm f", ""},
		{"legacy, truncated", "application/json", `{"summary":"x","files":[`, "", hub.CodeInvalid},
		{"legacy, not base64", "application/json", `{"summary":"x","files":[{"path":"a","content":"*","encoding":"base64"}]}`, "", hub.CodeInvalid},
	}
	names := map[repo.OpKind]string{
		repo.PutFile: "put", repo.PutLarge: "large", repo.DeleteFile: "unlink", repo.DeleteFolder: "rmdir", repo.DeleteEntry: "rm",
	}
	for _, tt := range tests {
		ops, err := readCommit(strings.NewReader(tt.body), tt.kind)
		var got []string
		for _, op := range ops {
			got = append(got, names[op.Kind]+" "+op.Path)
		}
		if tt.code != "" {
			if hub.CodeOf(err) != tt.code {
				t.Errorf("%s: %v, want code %s", tt.name, err, tt.code)
			}
			continue
		}
		if err != nil || strings.Join(got, ", ") != tt.want {
			t.Errorf("%s: %q, %v, want %q", tt.name, strings.Join(got, ", "), err, tt.want)
		}
	}
}

const ndjson = "application/x-ndjson"

// FuzzCommitReader: whatever comes, the reader ends without a panic, gives no
// operation after an error, and blames the client.
func FuzzCommitReader(f *testing.F) {
	const header = `{"key":"header","value":{"summary":"x"}}` + "\n"
	f.Add([]byte(header+`{"key":"file","value":{"path":"a","content":"eA==","encoding":"base64"}}`), false)
	f.Add([]byte(header+`{"key":"lfsFile","value":{"path":"l","algo":"sha256","oid":"`+strings.Repeat("0", 64)+`","size":3}}`), false)
	f.Add([]byte(header+"\n\r\n"+`{"key":"deletedFile","value":{"path":"x"}}`+"\n"), false)
	f.Add([]byte(`{"summary":"x","files":[{"path":"a"}],"deletedEntries":[{"path":"e"}]}`), true)
	f.Fuzz(func(t *testing.T, body []byte, legacy bool) {
		kind := ndjson
		if legacy {
			kind = "application/json"
		}
		ops, err := readCommit(bytes.NewReader(body), kind)
		if err != nil && hub.CodeOf(err) != hub.CodeInvalid {
			t.Errorf("%q: %v has the code %s", body, err, hub.CodeOf(err))
		}
		if lines := bytes.Count(body, []byte("\n")) + 1; !legacy && len(ops) > lines {
			t.Errorf("%q: %d operations in %d lines", body, len(ops), lines)
		}
		for _, op := range ops {
			if op.Kind == repo.PutLarge && op.SHA256.IsZero() && !bytes.Contains(body, []byte(strings.Repeat("0", 64))) {
				t.Errorf("%q: a large file without a name", body)
			}
			if len(op.Content) > len(body) {
				t.Errorf("%q: %d bytes of content", body, len(op.Content))
			}
		}
	})
}
