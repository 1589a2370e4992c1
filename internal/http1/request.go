package http1

import (
	"bytes"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
)

// request is a request of the simplest form, parsed.
type request struct {
	method, target, host string

	// header and values are lent to the handler until it returns.
	header http.Header
	values []string // one for each field

	// last is the head of the latest request, if it has one Range: all but
	// last[from:to] is what the head of the next one may have in common with it.
	last     []byte
	from, to int

	// parsed is the URL of the target of an earlier request. Most requests of a
	// connection are for another range of the same file.
	parsed     url.URL
	parsedFrom string

	lent    http.Request // to the handler, with its URL
	lentURL url.URL
}

// parse parses the head of a request. It reports false if anything about it is
// wrong or special, which is for net/http to judge.
func (q *request) parse(head []byte) bool {
	if q.again(head) {
		return true
	}
	q.last = q.last[:0]
	if !q.parseAll(head) {
		return false
	}
	q.remember(head)
	return true
}

// again takes the head of a request that asks for another range than the latest
// one, and is the same otherwise. It reports false if it is not.
func (q *request) again(head []byte) bool {
	if len(q.last) == 0 || len(head) < q.from+len(q.last)-q.to {
		return false
	}
	value, after := head[q.from:len(head)-(len(q.last)-q.to)], q.last[q.to:]
	if !bytes.HasPrefix(head, q.last[:q.from]) || !bytes.HasSuffix(head, after) || !every(value, valueChar) {
		return false
	}
	q.header["Range"][0] = string(bytes.Trim(value, " \t")) // there is one: remember has seen it
	return true
}

// remember keeps the head of a request for again.
func (q *request) remember(head []byte) {
	if len(q.header["Range"]) != 1 {
		return
	}
	for _, name := range [...]string{"\r\nRange:", "\r\nrange:"} { // as they are written
		if at := bytes.Index(head, []byte(name)); at >= 0 {
			q.from = at + len(name)
			q.to = q.from + bytes.IndexByte(head[q.from:], '\r')
			q.last = append(q.last, head...)
			return
		}
	}
}

// parseAll is parse for any head.
func (q *request) parseAll(head []byte) bool {
	lines, ok := bytes.CutSuffix(head, []byte("\r\n\r\n"))
	if !ok {
		return false
	}
	line, fields, _ := strings.Cut(string(lines), "\r\n")
	method, rest, _ := strings.Cut(line, " ")
	target, version, _ := strings.Cut(rest, " ")
	if method != http.MethodGet && method != http.MethodHead || version != "HTTP/1.1" {
		return false
	}
	if target == "" || target[0] != '/' || !every(target, visible) {
		return false
	}
	if q.header == nil {
		q.header = make(http.Header, 16)
	}
	clear(q.header)
	q.method, q.target, q.host, q.values = method, target, "", q.values[:0]
	for fields != "" {
		var field string
		field, fields, _ = strings.Cut(fields, "\r\n")
		name, value, ok := strings.Cut(field, ":")
		if !ok || name == "" || !every(name, nameChar) || !every(value, valueChar) || !q.add(name, strings.Trim(value, " \t")) {
			return false
		}
	}
	return q.host != ""
}

// add takes a header field. It reports false if the field has a meaning for the
// connection, or comes twice where it must not.
func (q *request) add(name, value string) bool {
	name = textproto.CanonicalMIMEHeaderKey(name)
	switch name {
	case "Host":
		ok := q.host == "" && every(value, hostChar)
		q.host = value
		return ok
	case "Connection":
		if !strings.EqualFold(value, "keep-alive") {
			return false
		}
	case "Content-Length", "Transfer-Encoding", "Expect", "Upgrade", "Trailer", "Te", "Pragma":
		return false
	}
	if old := q.header[name]; old != nil {
		q.header[name] = append(old, value) // values have no room behind them: it is copied
		return true
	}
	q.values = append(q.values, value)
	n := len(q.values)
	q.header[name] = q.values[n-1 : n : n]
	return true
}

// build makes the request that net/http would. It is lent, too.
func (q *request) build(remote string) (*http.Request, bool) {
	if q.target != q.parsedFrom {
		target := strings.Clone(q.target) // handlers may keep it, and not the rest of the head
		u, err := url.ParseRequestURI(target)
		if err != nil || u.Scheme != "" || u.Host != "" {
			return nil, false
		}
		q.parsed, q.parsedFrom = *u, target
	}
	q.lentURL = q.parsed // handlers may change theirs
	q.lent = http.Request{
		Method: q.method, URL: &q.lentURL, RequestURI: q.target,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: q.header, Host: q.host, Body: http.NoBody, RemoteAddr: remote,
	}
	return &q.lent, true
}

func every[T string | []byte](s T, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// nameChar holds for the characters of field names that are in use.
func nameChar(c byte) bool { return alphanumeric(c) || c == '-' || c == '_' }

// hostChar holds for those of a name or address, perhaps with a port.
func hostChar(c byte) bool { return nameChar(c) || c == '.' || c == ':' || c == '[' || c == ']' }

// visible holds for those of a target.
func visible(c byte) bool { return 0x21 <= c && c <= 0x7e }

// valueChar holds for those of field values.
func valueChar(c byte) bool { return 0x20 <= c && c <= 0x7e || c == '\t' }
