package casapi

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/cas"
	"github.com/pantryhub/pantry/internal/httpx"
	"github.com/pantryhub/pantry/xet"
)

// fetchTTL is how long a fetch URL works. A client that comes later asks for a
// new one.
const fetchTTL = time.Hour

// fetchPath is the path and query, below the CAS, from which bytes [from, to) of
// a stored xorb can be fetched for a while.
func (s *Server) fetchPath(id hub.XetHash, from, to int64) string {
	b := append([]byte(nil), id[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(from))
	b = binary.BigEndian.AppendUint64(b, uint64(to))
	return "/fetch/" + id.String() + "?sig=" + url.QueryEscape(s.key.Seal(fetchPurpose, b, s.now().Add(fetchTTL)))
}

// errFetchForbidden tells the client to ask for a new URL. Clients retry only
// after this status, whatever is wrong with the URL.
var errFetchForbidden = hub.Errorf(hub.CodeForbidden, "This URL has expired or does not cover the requested bytes.")

// signedRange returns what a fetch URL opens.
func (s *Server) signedRange(r *http.Request) (id hub.XetHash, signed xet.ByteRange, err error) {
	b, err := s.key.Open(fetchPurpose, r.URL.Query().Get("sig"), s.now())
	if err != nil || len(b) != len(id)+16 {
		return id, signed, errFetchForbidden
	}
	id = hub.XetHash(b[:len(id)])
	if id.String() != r.PathValue("xorb") {
		return id, signed, errFetchForbidden
	}
	b = b[len(id):]
	return id, xet.ByteRange{Start: int64(binary.BigEndian.Uint64(b)), End: int64(binary.BigEndian.Uint64(b[8:]))}, nil
}

// fetch serves bytes of a stored xorb: those that the Range header names, all of
// which must be signed into the URL, or everything that is.
func (s *Server) fetch(w http.ResponseWriter, r *http.Request) error {
	id, signed, err := s.signedRange(r)
	if err != nil {
		return err
	}
	x, err := s.cas.Xorb(r.Context(), id)
	if err != nil {
		return errFetchForbidden // collected: a new plan says where the chunks are now
	}
	parts, err := fetchRanges(r.Header.Get("Range"), signed, x.Size())
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Accept-Ranges", "bytes")
	h.Set("ETag", `"`+id.String()+`"`)
	h.Set("Cache-Control", "private, max-age=3600, immutable")
	if len(parts) > 1 {
		s.broken(r, writeMultipart(r.Context(), w, x, parts))
		return nil
	}
	status, part := http.StatusOK, signed
	if len(parts) == 1 {
		status, part = http.StatusPartialContent, parts[0]
		h.Set("Content-Range", contentRange(part, x.Size()))
	}
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.FormatInt(part.End-part.Start, 10))
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err = x.WriteRange(r.Context(), w, part.Start, part.End)
	s.broken(r, err)
	return nil
}

// errFetchOrder is for ranges that would have bytes sent twice: thousands of
// them fit into a request.
var errFetchOrder = hub.Invalidf("The byte ranges overlap or do not ascend.")

// fetchRanges resolves a Range header within what is signed.
func fetchRanges(header string, signed xet.ByteRange, size int64) ([]xet.ByteRange, error) {
	if header == "" {
		return nil, nil
	}
	ranges, err := parseRanges(header)
	if err != nil {
		return nil, err
	}
	out := make([]xet.ByteRange, len(ranges))
	for i, r := range ranges {
		got, ok := r.within(size)
		if !ok || got.Start < signed.Start || got.End > signed.End || r.last != uint64(got.End-1) && !r.suffix {
			return nil, errFetchForbidden
		}
		if i > 0 && got.Start < out[i-1].End {
			return nil, errFetchOrder
		}
		out[i] = got
	}
	return out, nil
}

func contentRange(r xet.ByteRange, size int64) string {
	return fmt.Sprintf("bytes %d-%d/%d", r.Start, r.End-1, size)
}

// writeMultipart writes several ranges as multipart/byteranges, each as it was
// asked for: clients count the parts.
func writeMultipart(ctx context.Context, w http.ResponseWriter, x *cas.StoredXorb, parts []xet.ByteRange) error {
	boundary := rand.Text()
	heads := make([]string, len(parts))
	length := int64(0)
	for i, p := range parts {
		heads[i] = fmt.Sprintf("--%s\r\nContent-Type: application/octet-stream\r\nContent-Range: %s\r\n\r\n", boundary, contentRange(p, x.Size()))
		if i > 0 {
			heads[i] = "\r\n" + heads[i]
		}
		length += int64(len(heads[i])) + p.End - p.Start
	}
	tail := "\r\n--" + boundary + "--\r\n"
	h := w.Header()
	h.Set("Content-Type", "multipart/byteranges; boundary="+boundary)
	h.Set("Content-Length", strconv.FormatInt(length+int64(len(tail)), 10))
	w.WriteHeader(http.StatusPartialContent)
	for i, p := range parts {
		if _, err := io.WriteString(w, heads[i]); err != nil {
			return err
		}
		if _, err := x.WriteRange(ctx, w, p.Start, p.End); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, tail)
	return err
}

// broken notes that a body could not be completed. The server closes the
// connection then, since less was written than announced, so that the client
// does not take what it has for everything. That it went away is no news; that
// bytes could not be read is.
func (s *Server) broken(r *http.Request, err error) {
	var network *net.OpError
	if err == nil || r.Context().Err() != nil || errors.As(err, &network) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return
	}
	s.log.ErrorContext(r.Context(), "response broken off", "req", httpx.RequestID(r.Context()), "path", r.URL.EscapedPath(), "err", err)
}
