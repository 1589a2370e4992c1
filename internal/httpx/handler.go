package httpx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/internal/ratelimit"
)

// Handler answers a request or returns an error, which is then written by
// WriteError. It must not return an error after it has begun the body.
type Handler func(w http.ResponseWriter, r *http.Request) error

func (h Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h(w, r); err != nil {
		WriteError(w, r, err)
	}
}

// WriteError writes an error as the API's clients expect it: status, JSON
// body, X-Error-Code and X-Error-Message. The text of an internal error goes
// to the log only.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	code, message := Describe(r, err)
	h := w.Header()
	if name := api.ErrorHeader(code); name != "" {
		h.Set("X-Error-Code", name)
	}
	h.Set("X-Error-Message", headerText(message))
	h.Del("Content-Length")
	h.Del("Content-Encoding")
	h.Del("ETag")
	body := api.ErrorBody{Error: message}
	var exists *ExistsError
	if errors.As(err, &exists) {
		body.URL = exists.URL
	}
	var limited *ratelimit.Exceeded
	if errors.As(err, &limited) {
		h.Set("Retry-After", strconv.Itoa(limited.RetryAfter()))
	}
	h.Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(api.Status(code))
	if r.Method == http.MethodHead {
		return
	}
	json.NewEncoder(w).Encode(body) // the client is gone if this fails
}

// ExistsError is a conflict with something that has a URL: clients with
// exist_ok parse it from the 409.
type ExistsError struct {
	Err error
	URL string
}

func (e *ExistsError) Error() string { return e.Err.Error() }
func (e *ExistsError) Unwrap() error { return e.Err }

// Describe returns the code of an error and the message for the person who
// asked, and logs what an operator must know.
func Describe(r *http.Request, err error) (hub.Code, string) {
	var e *hub.Error
	if errors.As(err, &e) && e.Code != hub.CodeInternal {
		return e.Code, e.Message
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return hub.CodeTooLarge, fmt.Sprintf("The request body is over the limit of %d bytes.", tooLarge.Limit)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, io.ErrUnexpectedEOF) {
		return hub.CodeInvalid, "The request ended before its body was complete."
	}
	logger(r.Context()).Error("request failed", "method", r.Method, "path", r.URL.EscapedPath(), "err", err)
	return hub.CodeInternal, "Internal error of the hub. The operator finds it in the log under " + RequestID(r.Context()) + "."
}

// headerText makes a message fit for a header line.
func headerText(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c < 0x20 || c >= 0x7f {
			b[i] = ' '
		}
	}
	return string(b)
}

// JSON writes v as the whole response.
func JSON(w http.ResponseWriter, status int, v any) error {
	return JSONAs(w, status, v, "application/json; charset=utf-8")
}

// JSONAs is JSON with another media type.
func JSONAs(w http.ResponseWriter, status int, v any, mediaType string) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode response: %w", err)
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body) // the client is gone if this fails
	return nil
}

// Limits of JSON request bodies. Bulk bodies are NDJSON or bytes.
const (
	maxJSON      = 1 << 20
	maxLargeJSON = 32 << 20
	jsonTimeout  = time.Minute // to send one
)

// DecodeJSON reads the request body, of at most a mebibyte, into v. Unknown
// fields are ignored, as the Hub does; an empty body leaves v as it is.
func DecodeJSON(w http.ResponseWriter, r *http.Request, v any) error {
	return decodeJSON(w, r, v, maxJSON)
}

// DecodeLargeJSON is DecodeJSON for up to 32 MiB, for callers that have checked
// who is asking.
func DecodeLargeJSON(w http.ResponseWriter, r *http.Request, v any) error {
	return decodeJSON(w, r, v, maxLargeJSON)
}

func decodeJSON(w http.ResponseWriter, r *http.Request, v any, limit int64) error {
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(jsonTimeout)) // not every writer in a test has one
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return hub.Invalidf("The request body did not come in time.")
	}
	if err != nil {
		return fmt.Errorf("read body: %w", err)
	}
	_ = rc.SetReadDeadline(time.Time{})
	if len(body) == 0 {
		return nil
	}
	if err := json.Unmarshal(body, v); err != nil {
		return hub.Invalidf("The request body is not the expected JSON%s.", jsonPlace(err))
	}
	return nil
}

// jsonPlace says where a body is wrong, without the names of our types.
func jsonPlace(err error) string {
	var wrong *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &wrong) && wrong.Field != "":
		return fmt.Sprintf(": %q cannot be a %s", wrong.Field, wrong.Value)
	case errors.As(err, &syntax):
		return fmt.Sprintf(": syntax error at byte %d", syntax.Offset)
	}
	return ""
}

// Bool reads a query flag as the clients spell it: "true" and "1" are on.
func Bool(r *http.Request, name string) bool {
	switch r.URL.Query().Get(name) {
	case "true", "True", "1":
		return true
	}
	return false
}

// List reads a repeated query parameter, with or without "[]".
func List(r *http.Request, name string) []string {
	q := r.URL.Query()
	return append(append([]string(nil), q[name]...), q[name+"[]"]...)
}

// Limit reads a page size: def if absent, at most limit.
func Limit(r *http.Request, def, limit int) (int, error) {
	s := r.URL.Query().Get("limit")
	if s == "" {
		return def, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, hub.Invalidf("limit must be a positive number")
	}
	return min(n, limit), nil
}

// NextLink sets the Link header to the next page: this request's URL below
// base (the public URL) with the parameters in set replaced. The URL is
// absolute and quoted as the JavaScript client requires.
func NextLink(w http.ResponseWriter, r *http.Request, base string, set map[string]string) {
	q := r.URL.Query()
	for k, v := range set {
		q.Set(k, v)
	}
	w.Header().Set("Link", "<"+base+r.URL.EscapedPath()+"?"+q.Encode()+`>; rel="next"`)
}
