package lfs

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/bucket"
	"github.com/pantryhub/pantry/internal/cas"
	"github.com/pantryhub/pantry/internal/sign"
	"github.com/pantryhub/pantry/internal/store"
)

// Lifetime is how long the URLs of an upload work. A part of a slow upload may
// take hours to come up.
const Lifetime = 24 * time.Hour

// partsPrefix is where parts wait in the bucket.
const partsPrefix = "lfs-parts/"

// Config is what a Service is made of.
type Config struct {
	DB     *store.DB
	CAS    *cas.Service
	Bucket bucket.Bucket
	Key    sign.Key
	Now    func() time.Time // time.Now if nil
}

// Service receives large files. It is safe for concurrent use.
type Service struct {
	db     *store.DB
	cas    *cas.Service
	bucket bucket.Bucket
	key    sign.Key
	now    func() time.Time
}

// New makes a Service.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Service{db: cfg.DB, cas: cfg.CAS, bucket: cfg.Bucket, key: cfg.Key, now: cfg.Now}
}

// Object is a large file that is announced or asked for.
type Object struct {
	SHA256 hub.SHA256
	Size   int64
}

// Upload is a permission to upload one object to one repository.
type Upload struct {
	Object
	RepoID    int64
	AccountID int64
	ID        [8]byte // of a multipart upload: where its parts wait
	Part      uint32  // of a part's URL, from 1
	PartSize  int64   // of every part but the last
}

// Purposes of signed URLs.
const (
	purposePut      = "lfs-put"
	purposePart     = "lfs-part"
	purposeComplete = "lfs-complete"
	purposeGet      = "lfs-get"
)

// PutToken signs a single PUT.
func (s *Service) PutToken(u Upload) string { return s.seal(purposePut, u) }

// NewMultipart begins a multipart upload.
func (s *Service) NewMultipart(u Upload, partSize int64) Upload {
	rand.Read(u.ID[:]) // never fails (crypto/rand)
	u.PartSize = partSize
	return u
}

// PartToken signs the PUT of one part, counted from 1.
func (s *Service) PartToken(u Upload, part uint32) string {
	u.Part = part
	return s.seal(purposePart, u)
}

// CompleteToken signs the completion of a multipart upload.
func (s *Service) CompleteToken(u Upload) string { return s.seal(purposeComplete, u) }

// Parts is how many parts an upload has.
func (u Upload) Parts() uint32 { return uint32(CountParts(u.Size, u.PartSize)) }

// CountParts is how many parts an object of a size has. What announces an
// object can say any size: look before a list is made.
func CountParts(size, partSize int64) int64 {
	if size <= 0 || partSize <= 0 {
		return 0
	}
	return (size-1)/partSize + 1
}

// partLength is the size of one part.
func (u Upload) partLength(part uint32) int64 {
	return min(u.PartSize, u.Size-int64(part-1)*u.PartSize)
}

func (u Upload) partKey(part uint32) string {
	return fmt.Sprintf("%s%s/%06d", partsPrefix, hex.EncodeToString(u.ID[:]), part)
}

// GetToken signs a download of an object that the repository holds.
func (s *Service) GetToken(repoID int64, sha hub.SHA256) string {
	return s.seal(purposeGet, Upload{RepoID: repoID, Object: Object{SHA256: sha}})
}

const sealedSize = 32 + 8 + 8 + 8 + 8 + 4 + 8

func (s *Service) seal(purpose string, u Upload) string {
	b := make([]byte, 0, sealedSize)
	b = append(b, u.SHA256[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(u.Size))
	b = binary.BigEndian.AppendUint64(b, uint64(u.RepoID))
	b = binary.BigEndian.AppendUint64(b, uint64(u.AccountID))
	b = append(b, u.ID[:]...)
	b = binary.BigEndian.AppendUint32(b, u.Part)
	b = binary.BigEndian.AppendUint64(b, uint64(u.PartSize))
	return s.key.Seal(purpose, b, s.now().Add(Lifetime))
}

// open checks a signed value. What is forged or stale is forbidden.
func (s *Service) open(purpose, token string) (Upload, error) {
	b, err := s.key.Open(purpose, token, s.now())
	if err != nil || len(b) != sealedSize {
		return Upload{}, &hub.Error{Code: hub.CodeForbidden, Message: "This transfer URL is invalid or has expired. Start again.", Err: err}
	}
	var u Upload
	copy(u.SHA256[:], b)
	u.Size = int64(binary.BigEndian.Uint64(b[32:]))
	u.RepoID = int64(binary.BigEndian.Uint64(b[40:]))
	u.AccountID = int64(binary.BigEndian.Uint64(b[48:]))
	copy(u.ID[:], b[56:])
	u.Part = binary.BigEndian.Uint32(b[64:])
	u.PartSize = int64(binary.BigEndian.Uint64(b[68:]))
	return u, nil
}

// Put receives a whole object.
func (s *Service) Put(ctx context.Context, token string, body io.Reader) error {
	u, err := s.open(purposePut, token)
	if err != nil {
		return err
	}
	return s.receive(ctx, u, body)
}

// receive streams an object into the CAS and lets the repository hold it.
func (s *Service) receive(ctx context.Context, u Upload, body io.Reader) error {
	f, err := s.cas.IngestExpected(ctx, body, cas.Expected{SHA256: u.SHA256, Size: u.Size})
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(q *store.Q) error {
		_, err := q.LinkRepoFile(ctx, store.NewRepoFile{
			RepoID: u.RepoID, AccountID: u.AccountID, SHA256: f.SHA256, Xet: f.Xet, Size: f.Size,
		}, s.now())
		return err
	})
}

// PutPart receives one part and returns its entity tag.
func (s *Service) PutPart(ctx context.Context, token string, body io.Reader) (etag string, err error) {
	u, err := s.open(purposePart, token)
	if err != nil {
		return "", err
	}
	want := u.partLength(u.Part)
	part := &exactReader{r: io.LimitReader(body, want+1), want: want} // one byte too many is proof enough
	if _, err := s.bucket.Put(ctx, u.partKey(u.Part), part, want); err != nil {
		switch {
		case part.err != nil:
			return "", part.err
		case errors.Is(err, bucket.ErrNoSpace):
			return "", &hub.Error{Code: hub.CodeNoSpace, Message: hub.ErrNoSpace.Message, Err: err}
		}
		return "", fmt.Errorf("store part %d: %w", u.Part, err)
	}
	return fmt.Sprintf("%x-%d", u.ID, u.Part), nil
}

// exactReader fails unless r has exactly want bytes.
type exactReader struct {
	r    io.Reader
	want int64
	n    int64
	err  error // why it failed, if the size is wrong
}

func (e *exactReader) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	e.n += int64(n)
	if e.n > e.want || errors.Is(err, io.EOF) && e.n < e.want {
		e.err = hub.Errorf(hub.CodeUnprocessable, "The part must have %d bytes.", e.want)
		return n, e.err
	}
	return n, err
}

// Complete joins the parts of an upload into the object. To do it again is no
// error: the client may have missed the answer.
func (s *Service) Complete(ctx context.Context, token string) error {
	u, err := s.open(purposeComplete, token)
	if err != nil {
		return err
	}
	_, err = s.db.Read().RepoFile(ctx, u.RepoID, u.SHA256)
	if errors.Is(err, store.ErrNotFound) {
		parts := &partsReader{ctx: ctx, bucket: s.bucket, upload: u}
		defer parts.close()
		err = s.receive(ctx, u, parts)
	}
	if err != nil {
		return err
	}
	for part := uint32(1); part <= u.Parts(); part++ {
		if err := s.bucket.Delete(ctx, u.partKey(part)); err != nil {
			return nil // the object is whole; Sweep removes what is left
		}
	}
	return nil
}

// partsReader reads the parts of an upload one after the other.
type partsReader struct {
	ctx    context.Context
	bucket bucket.Bucket
	upload Upload
	part   uint32 // open part, 0 before the first
	object bucket.Object
	body   io.Reader
}

func (r *partsReader) Read(p []byte) (int, error) {
	for {
		if r.body != nil {
			n, err := r.body.Read(p)
			if n > 0 || err != io.EOF {
				return n, err
			}
			r.close()
		}
		if r.part == r.upload.Parts() {
			return 0, io.EOF
		}
		if err := r.next(); err != nil {
			return 0, err
		}
	}
}

// close lets go of the open part.
func (r *partsReader) close() {
	if r.body != nil {
		r.object.Close()
		r.body = nil
	}
}

func (r *partsReader) next() error {
	r.part++
	o, err := r.bucket.Open(r.ctx, r.upload.partKey(r.part))
	if errors.Is(err, bucket.ErrNotExist) {
		return hub.Errorf(hub.CodeUnprocessable, "Part %d of the upload is missing.", r.part)
	}
	if err != nil {
		return err
	}
	r.object, r.body = o, io.NewSectionReader(o, 0, o.Size())
	return nil
}

// Held returns those of the objects that a repository holds.
func (s *Service) Held(ctx context.Context, repoID int64, objects []Object) (map[hub.SHA256]store.RepoFile, error) {
	shas := make([]hub.SHA256, len(objects))
	for i, o := range objects {
		shas[i] = o.SHA256
	}
	return s.db.Read().RepoFilesBySHA(ctx, repoID, shas)
}

// Open opens an object for a signed download.
func (s *Service) Open(ctx context.Context, token string) (*cas.Reader, hub.SHA256, error) {
	u, err := s.open(purposeGet, token)
	if err != nil {
		return nil, hub.SHA256{}, err
	}
	f, err := s.db.Read().RepoFile(ctx, u.RepoID, u.SHA256)
	if errors.Is(err, store.ErrNotFound) {
		return nil, hub.SHA256{}, hub.ErrNotFound
	}
	if err != nil {
		return nil, hub.SHA256{}, err
	}
	r, err := s.cas.Open(ctx, f.Xet)
	return r, u.SHA256, err
}

// Sweep removes the parts of uploads that nobody completed in time.
func (s *Service) Sweep(ctx context.Context) error {
	const page = 1000
	for after := ""; ; {
		parts, err := s.bucket.List(ctx, partsPrefix, after, page)
		if err != nil {
			return fmt.Errorf("sweep upload parts: %w", err)
		}
		for _, p := range parts {
			after = p.Key
			if s.now().Sub(p.ModTime) < Lifetime {
				continue
			}
			if err := s.bucket.Delete(ctx, p.Key); err != nil {
				return fmt.Errorf("sweep upload parts: %w", err)
			}
		}
		if len(parts) < page {
			return nil
		}
	}
}
