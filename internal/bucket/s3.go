package bucket

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// S3 keeps objects in a bucket of an S3 store.
//
// An object is put with If-None-Match, so that one of several writers creates
// it and the others are told. A store that does not implement this is found
// out by Check; there a second writer may replace an object by its own bytes.
type S3 struct {
	core   minio.Core
	signer *minio.Client // of presigned URLs; nil for none
	bucket string
	prefix string // "" or ending in a slash

	unconditional atomic.Bool // the store refuses If-None-Match

	// An object of at most singlePut bytes takes one request, a larger one is
	// put in parts of partSize bytes, of which one is in memory at a time.
	singlePut, partSize int64
}

const (
	// singlePut is above the largest xorb, so that the usual object is
	// streamed and needs no memory of its own.
	singlePut = 128 << 20
	partSize  = 32 << 20
	maxParts  = 10_000 // by S3

	// headFirst is the size from which asking whether an object exists costs
	// less than sending it in vain.
	headFirst = 256 << 10

	idleConns = 64
	retries   = 5

	// probeFolder begins with a dot, so that no key can be in it.
	probeFolder = ".probe/"
)

// OpenS3 connects to a bucket, which must exist, and checks that it can be
// written.
func OpenS3(ctx context.Context, c S3Config) (*S3, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	client, err := c.client(c.Endpoint)
	if err != nil {
		return nil, err
	}
	s := &S3{core: minio.Core{Client: client}, bucket: c.Bucket, singlePut: singlePut, partSize: partSize}
	if c.Prefix != "" {
		s.prefix = c.Prefix + "/"
	}
	if !c.NoPresign {
		s.signer, err = c.client(cmp.Or(c.PublicEndpoint, c.Endpoint))
		if err != nil {
			return nil, err
		}
	}
	return s, s.Check(ctx)
}

func (c S3Config) client(endpoint string) (*minio.Client, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("bucket: endpoint: %w", err)
	}
	secure := u.Scheme == "https"
	transport, err := minio.DefaultTransport(secure)
	if err != nil {
		return nil, fmt.Errorf("bucket: %w", err)
	}
	transport.MaxIdleConnsPerHost = idleConns
	lookup := minio.BucketLookupAuto
	if c.PathStyle {
		lookup = minio.BucketLookupPath
	}
	client, err := minio.New(u.Host, &minio.Options{
		Creds:        credentials.NewStaticV4(c.AccessKey, c.SecretKey, c.SessionToken),
		Secure:       secure,
		Transport:    transport,
		Region:       c.Region,
		BucketLookup: lookup,
		MaxRetries:   retries,
	})
	if err != nil {
		return nil, fmt.Errorf("bucket: %w", err)
	}
	return client, nil
}

// Put implements Bucket.
func (s *S3) Put(ctx context.Context, key string, r io.Reader, size int64) (bool, error) {
	if err := cmp.Or(CheckKey(key), ctx.Err()); err != nil {
		return false, err
	}
	if size >= headFirst || s.unconditional.Load() {
		_, err := s.Stat(ctx, key)
		if !errors.Is(err, ErrNotExist) {
			return false, err
		}
	}
	src, err := newSource(ctx, r, size)
	if err != nil {
		return false, s.wrap("put", key, err)
	}
	err = s.put(ctx, s.prefix+key, src, size)
	switch {
	case err == nil:
		return true, nil
	case src.err != nil:
		// It says more than what the store made of it.
		return false, s.wrap("put", key, src.err)
	case isCode(err, http.StatusPreconditionFailed):
		return false, nil
	}
	// A store may refuse a second writer by hanging up before it has read the
	// whole body, and an answer may be lost on its way.
	if _, statErr := s.Stat(ctx, key); statErr == nil {
		return false, nil
	}
	return false, s.wrap("put", key, err)
}

func (s *S3) put(ctx context.Context, name string, src *source, size int64) error {
	opts := s.putOptions()
	if size > s.singlePut {
		return s.putParts(ctx, name, src, size, opts)
	}
	opts.DisableMultipart = true
	var body io.Reader = src
	if rewind, ok := newRewinder(src); ok {
		body = rewind
	}
	_, err := s.core.Client.PutObject(ctx, s.bucket, name, body, size, opts)
	return err
}

// rewinder is a source that the client library can read again, to repeat a
// request that failed for a passing reason.
type rewinder struct {
	*source
	seeker      io.Seeker
	start, size int64
}

func newRewinder(src *source) (*rewinder, bool) {
	seeker, ok := src.r.(io.Seeker)
	if !ok {
		return nil, false
	}
	start, err := seeker.Seek(0, io.SeekCurrent)
	return &rewinder{source: src, seeker: seeker, start: start, size: src.left}, err == nil
}

// Seek goes back to the beginning, which is all that is ever asked of it; not
// after the reader itself has failed, as it would do so again.
func (r *rewinder) Seek(offset int64, whence int) (int64, error) {
	if r.err != nil {
		return 0, r.err
	}
	if offset != 0 || whence != io.SeekStart {
		return 0, errors.ErrUnsupported
	}
	if _, err := r.seeker.Seek(r.start, io.SeekStart); err != nil {
		return 0, r.fail(err)
	}
	r.left = r.size
	return 0, nil
}

func (s *S3) putOptions() minio.PutObjectOptions {
	var opts minio.PutObjectOptions
	if !s.unconditional.Load() {
		opts.SetMatchETagExcept("*")
	}
	return opts
}

// putParts is a multipart upload whose completion carries If-None-Match, which
// the client library's own does not.
func (s *S3) putParts(ctx context.Context, name string, src *source, size int64, opts minio.PutObjectOptions) (err error) {
	id, err := s.core.NewMultipartUpload(ctx, s.bucket, name, minio.PutObjectOptions{})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.abort(ctx, name, id))
		}
	}()
	buf := make([]byte, max(s.partSize, (size+maxParts-1)/maxParts))
	var parts []minio.CompletePart
	for left := size; left > 0; {
		part := buf[:min(left, int64(len(buf)))]
		if _, err := io.ReadFull(src, part); err != nil {
			return err
		}
		left -= int64(len(part))
		n := len(parts) + 1
		done, err := s.core.PutObjectPart(ctx, s.bucket, name, id, n, bytes.NewReader(part), int64(len(part)), minio.PutObjectPartOptions{})
		if err != nil {
			return err
		}
		parts = append(parts, minio.CompletePart{PartNumber: n, ETag: done.ETag})
	}
	_, err = s.core.CompleteMultipartUpload(ctx, s.bucket, name, id, parts, opts)
	return err
}

// abort frees the parts of a failed upload, also when ctx is what ended it.
func (s *S3) abort(ctx context.Context, name, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	err := s.core.AbortMultipartUpload(ctx, s.bucket, name, id)
	if isCode(err, http.StatusNotFound) {
		return nil
	}
	return err
}

// Open implements Bucket.
func (s *S3) Open(ctx context.Context, key string) (Object, error) {
	info, err := s.Stat(ctx, key)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	return &s3Object{
		size: info.Size,
		fetch: func(off, n int64) (io.ReadCloser, error) {
			body, err := s.get(ctx, key, off, n)
			if err != nil {
				return nil, s.wrap("read", key, err)
			}
			return body, nil
		},
		cancel: cancel,
	}, nil
}

// get requests n bytes of an object from off on.
func (s *S3) get(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	var opts minio.GetObjectOptions
	if err := opts.SetRange(off, off+n-1); err != nil {
		return nil, err
	}
	body, _, _, err := s.core.GetObject(ctx, s.bucket, s.prefix+key, opts)
	return body, err
}

// Stat implements Bucket.
func (s *S3) Stat(ctx context.Context, key string) (Info, error) {
	if err := cmp.Or(CheckKey(key), ctx.Err()); err != nil {
		return Info{}, err
	}
	o, err := s.core.StatObject(ctx, s.bucket, s.prefix+key, minio.StatObjectOptions{})
	if err != nil {
		return Info{}, s.wrap("stat", key, err)
	}
	return Info{Key: key, Size: o.Size, ModTime: o.LastModified}, nil
}

// Delete implements Bucket.
func (s *S3) Delete(ctx context.Context, key string) error {
	if err := cmp.Or(CheckKey(key), ctx.Err()); err != nil {
		return err
	}
	err := s.wrap("delete", key, s.core.RemoveObject(ctx, s.bucket, s.prefix+key, minio.RemoveObjectOptions{}))
	if errors.Is(err, ErrNotExist) {
		return nil
	}
	return err
}

// List implements Bucket.
func (s *S3) List(ctx context.Context, prefix, after string, limit int) ([]Info, error) {
	if err := cmp.Or(checkPrefix(prefix), ctx.Err()); err != nil {
		return nil, err
	}
	if limit <= 0 {
		return nil, nil
	}
	opts := minio.ListObjectsOptions{Prefix: s.prefix + prefix, Recursive: true, MaxKeys: min(limit, 1000)}
	if after != "" {
		opts.StartAfter = s.prefix + after
	}
	var found []Info
	for o := range s.core.ListObjectsIter(ctx, s.bucket, opts) {
		if o.Err != nil {
			return nil, s.wrap("list", prefix, o.Err)
		}
		key := strings.TrimPrefix(o.Key, s.prefix)
		if key <= after || CheckKey(key) != nil { // not one of ours
			continue
		}
		found = append(found, Info{Key: key, Size: o.Size, ModTime: o.LastModified})
		if len(found) == limit {
			break
		}
	}
	// The iterator ends silently when the context does.
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("bucket: list %s: %w", prefix, err)
	}
	return found, nil
}

// Presign implements Bucket.
func (s *S3) Presign(ctx context.Context, key string, ttl time.Duration) (string, error) {
	if err := CheckKey(key); err != nil {
		return "", err
	}
	if s.signer == nil {
		return "", nil
	}
	u, err := s.signer.PresignedGetObject(ctx, s.bucket, s.prefix+key, ttl, nil)
	if err != nil {
		return "", s.wrap("presign", key, err)
	}
	return u.String(), nil
}

// Check implements Bucket: it puts and deletes a small object, and learns
// whether the store takes If-None-Match.
func (s *S3) Check(ctx context.Context) error {
	id := make([]byte, 8)
	rand.Read(id)
	name := s.prefix + probeFolder + hex.EncodeToString(id)
	err := s.probe(ctx, name)
	if isCode(err, http.StatusNotImplemented) && !s.unconditional.Swap(true) {
		err = s.probe(ctx, name)
	}
	if err == nil {
		err = s.core.RemoveObject(ctx, s.bucket, name, minio.RemoveObjectOptions{})
	}
	if err != nil {
		return s.wrap("check", "s3://"+s.bucket, err)
	}
	return nil
}

func (s *S3) probe(ctx context.Context, name string) error {
	_, err := s.core.Client.PutObject(ctx, s.bucket, name, strings.NewReader("probe"), int64(len("probe")), s.putOptions())
	return err
}

// wrap adds the operation to err and translates the store's words for missing
// and for full.
func (s *S3) wrap(op, key string, err error) error {
	if err == nil {
		return nil
	}
	var refusal minio.ErrorResponse
	if errors.As(err, &refusal) {
		switch {
		case refusal.Code == minio.NoSuchKey:
			err = ErrNotExist
		case isFull(refusal):
			err = fmt.Errorf("%w: %w", ErrNoSpace, err)
		}
	}
	return fmt.Errorf("bucket: %s %s: %w", op, key, err)
}

// isFull knows the refusals for want of space of the stores in use: S3 itself
// has none.
func isFull(refusal minio.ErrorResponse) bool {
	switch refusal.Code {
	case "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "QuotaExceeded":
		return true
	}
	return refusal.StatusCode == http.StatusInsufficientStorage
}

// isCode reports whether the store refused with an HTTP status.
func isCode(err error, status int) bool {
	var refusal minio.ErrorResponse
	return errors.As(err, &refusal) && refusal.StatusCode == status
}
