package httpx

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/pantryhub/pantry/hub"
)

func TestDecodeJSON(t *testing.T) {
	large := `{"name":"` + strings.Repeat("x", maxJSON) + `"}`
	tests := []struct {
		name, body string
		decode     func(http.ResponseWriter, *http.Request, any) error
		want       string // part of the message; "" for success
	}{
		{"good", `{"name":"a","other":1}`, DecodeJSON, ""},
		{"empty", ``, DecodeJSON, ""},
		{"wrong type", `{"name":1}`, DecodeJSON, `"name" cannot be a number`},
		{"syntax", `{"name"`, DecodeJSON, "syntax error at byte 7"},
		{"array", `[]`, DecodeJSON, "not the expected JSON."},
		{"large", large, DecodeLargeJSON, ""},
	}
	for _, tt := range tests {
		var v struct {
			Name string `json:"name"`
		}
		err := tt.decode(httptest.NewRecorder(), httptest.NewRequest("POST", "/", strings.NewReader(tt.body)), &v)
		if (err == nil) != (tt.want == "") || !strings.Contains(hub.MessageOf(err), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "struct") {
			t.Errorf("%s: the message names our types: %v", tt.name, err)
		}
	}
	var v map[string]any
	err := DecodeJSON(httptest.NewRecorder(), httptest.NewRequest("POST", "/", strings.NewReader(large)), &v)
	var tooLarge *http.MaxBytesError
	if !errors.As(err, &tooLarge) {
		t.Errorf("over a mebibyte: %v, want a MaxBytesError", err)
	}
}
