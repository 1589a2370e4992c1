package client

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/pantryhub/pantry/hub"
)

// copyBuffer is how many bytes are moved at once.
const copyBuffer = 256 << 10

// download brings a file of a commit to part, where an earlier run may have
// left its beginning, and checks it. Bytes are written at their own offsets, so
// that a second writer (on a file system without locks) does no harm.
func (c *Client) download(ctx context.Context, s Source, commit hub.OID, f File, part string) error {
	at := s
	at.Revision = hub.Revision(commit.String())
	out, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	d := &partial{client: c, source: at, file: f, out: out, digest: newDigest(f)}
	err = d.run(ctx)
	if closeErr := out.Close(); err == nil {
		err = closeErr
	}
	if errors.Is(err, errCorrupt) {
		err = errors.Join(err, os.Remove(part))
	}
	if errors.Is(err, syscall.ENOSPC) {
		return hub.Errorf(hub.CodeNoSpace, "The disk is full: %s of the %s needs %d bytes in %s.", f.Path, s, f.Size, part)
	}
	return err
}

// errCorrupt is wrapped when a file is complete and not what the hub said.
var errCorrupt = errors.New("corrupt")

// partial is a file that is being downloaded.
type partial struct {
	client *Client
	source Source
	file   File
	out    *os.File
	digest hash.Hash // of the bytes so far; nil if the ETag names no digest
	have   int64     // bytes so far
	buf    []byte
}

// newDigest is the hash whose value is the file's ETag, nil if it is none.
func newDigest(f File) hash.Hash {
	_, err := hex.DecodeString(f.ETag)
	switch {
	case err != nil:
		return nil
	case len(f.ETag) == 2*sha256.Size:
		return sha256.New()
	case len(f.ETag) == 2*sha1.Size: // a git blob: its header is hashed too
		h := sha1.New()
		fmt.Fprintf(h, "blob %d\x00", f.Size)
		return h
	}
	return nil
}

func (d *partial) run(ctx context.Context) error {
	d.buf = make([]byte, copyBuffer)
	if err := d.resume(); err != nil {
		return err
	}
	resumed := d.have > 0
	err := d.fill(ctx)
	if errors.Is(err, errCorrupt) && resumed {
		// What an earlier run left was wrong, perhaps: once more from the start.
		if err := d.restart(); err != nil {
			return err
		}
		err = d.fill(ctx)
	}
	if err != nil {
		return err
	}
	return d.out.Sync()
}

// resume reads what an earlier run left.
func (d *partial) resume() error {
	info, err := d.out.Stat()
	if err != nil {
		return err
	}
	if info.Size() > d.file.Size {
		return d.out.Truncate(0)
	}
	for d.have < info.Size() {
		n, err := d.out.ReadAt(d.buf[:min(int64(len(d.buf)), info.Size()-d.have)], d.have)
		if n == 0 {
			return err
		}
		d.account(d.buf[:n])
	}
	return nil
}

// account counts bytes that are in the file.
func (d *partial) account(p []byte) {
	if d.digest != nil {
		d.digest.Write(p)
	}
	d.have += int64(len(p))
	d.client.progress.Advance(d.file.Path, int64(len(p)))
}

// restart forgets everything.
func (d *partial) restart() error {
	d.client.progress.Advance(d.file.Path, -d.have)
	d.have, d.digest = 0, newDigest(d.file)
	return d.out.Truncate(0)
}

// fill asks for the bytes that are missing until all are there, then checks
// them.
func (d *partial) fill(ctx context.Context) error {
	err := retry(ctx, attempts, func() (bool, error) {
		before := d.have
		err := d.ask(ctx)
		return d.have > before, err
	})
	if err != nil {
		return err
	}
	if d.digest != nil && !strings.EqualFold(hex.EncodeToString(d.digest.Sum(nil)), d.file.ETag) {
		return &hub.Error{Code: hub.CodeUnavailable, Err: errCorrupt,
			Message: fmt.Sprintf("The bytes of %s of the %s are not those that the hub announced (%s).", d.file.Path, d.source, d.file.ETag)}
	}
	return nil
}

// ask sends one request for the missing bytes.
func (d *partial) ask(ctx context.Context) error {
	if d.have == d.file.Size {
		return nil
	}
	resp, err := d.client.send(ctx, request{
		method: http.MethodGet, url: d.client.resolveURL(d.source, d.source.revision(), d.file.Path),
		about: subject{d.source, d.file.Path}, from: d.have,
	})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	start, err := d.start(resp)
	if err != nil {
		return err
	}
	if start == 0 && d.have > 0 { // the server does not do ranges
		if err := d.restart(); err != nil {
			return err
		}
	}
	return d.copy(ctx, resp.Body)
}

// start is where in the file the answer begins.
func (d *partial) start(resp *http.Response) (int64, error) {
	if resp.StatusCode == http.StatusOK {
		return 0, nil
	}
	from, total, ok := contentRange(resp.Header.Get("Content-Range"))
	if resp.StatusCode != http.StatusPartialContent || !ok || from != d.have || total != d.file.Size {
		return 0, d.client.notAHub(fmt.Sprintf("asked for %s from byte %d of %d it answers %s %q",
			d.file.Path, d.have, d.file.Size, resp.Status, resp.Header.Get("Content-Range")))
	}
	return from, nil
}

// contentRange parses "bytes FROM-TO/TOTAL".
func contentRange(s string) (from, total int64, ok bool) {
	span, size, ok1 := strings.Cut(strings.TrimPrefix(s, "bytes "), "/")
	begin, _, ok2 := strings.Cut(span, "-")
	from, err1 := strconv.ParseInt(begin, 10, 64)
	total, err2 := strconv.ParseInt(size, 10, 64)
	return from, total, ok1 && ok2 && err1 == nil && err2 == nil && from >= 0
}

// copy writes the body behind what is there. A body that is too short is a
// cut connection.
func (d *partial) copy(ctx context.Context, body io.Reader) error {
	for {
		n, err := io.ReadFull(body, d.buf)
		if int64(n) > d.file.Size-d.have {
			return &hub.Error{Code: hub.CodeUnavailable, Err: errCorrupt,
				Message: fmt.Sprintf("The hub sends more than the %d bytes of %s that it announced.", d.file.Size, d.file.Path)}
		}
		if _, werr := d.out.WriteAt(d.buf[:n], d.have); werr != nil {
			return werr
		}
		d.account(d.buf[:n])
		switch {
		case err == nil:
			continue
		case err != io.EOF && err != io.ErrUnexpectedEOF:
			return err
		case d.have < d.file.Size:
			return d.client.connectionError(ctx, io.ErrUnexpectedEOF)
		}
		return nil
	}
}

// copyFile copies a file's bytes to a new name, which gets them all or is not
// there.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	temp := to + ".incomplete"
	out, err := os.Create(temp)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if closeErr := out.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(temp, to)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return nil
}
