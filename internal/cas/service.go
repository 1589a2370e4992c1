package cas

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/bucket"
	"github.com/pantryhub/pantry/internal/store"
	"github.com/pantryhub/pantry/xet"
)

// Config is what a Service is made of.
type Config struct {
	DB     *store.DB
	Bucket bucket.Bucket

	// SpoolDir is a folder for xorbs that are being packed or received. It may
	// be cleared whenever no service runs. os.TempDir() if empty.
	SpoolDir string

	// CopyBytes is how much of the same disk copies of files may take that are
	// downloaded often. 0 keeps none.
	CopyBytes int64

	Now    func() time.Time // time.Now if nil
	Logger *slog.Logger     // slog.Default() if nil
}

// Service keeps files. It is safe for concurrent use. Several processes may
// share a database and a bucket.
type Service struct {
	db       *store.DB
	bucket   bucket.Bucket
	spoolDir string
	now      func() time.Time
	log      *slog.Logger

	xorbs   *xorbCache
	files   *fileCache
	objects *objectCache
	copies  *copies // nil if none are kept

	crew      *crew               // idle processors
	packers   *semaphore.Weighted // uploads that have records in memory
	local     bool                // the bucket is a folder
	spanBytes int64               // how much is read at once
	readAhead int                 // and how many spans ahead

	dedupKey hub.XetHash         // hides chunk hashes in answers to dedup queries
	shards   *semaphore.Weighted // bytes of Xet shards in memory
	turns    *turns              // to hash what they describe
}

// File is a file in the CAS.
type File struct {
	Xet    hub.XetHash
	SHA256 hub.SHA256
	Size   int64
}

// New makes a Service.
func New(cfg Config) (*Service, error) {
	if cfg.DB == nil || cfg.Bucket == nil {
		return nil, errors.New("cas: a database and a bucket are needed")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	s := &Service{
		db: cfg.DB, bucket: cfg.Bucket, spoolDir: cfg.SpoolDir, now: cfg.Now, log: cfg.Logger,
		objects: newObjectCache(cfg.Bucket),
		shards:  semaphore.NewWeighted(MaxShard),
		turns:   newTurns(max(1, runtime.GOMAXPROCS(0)/2)),
		crew:    newCrew(runtime.GOMAXPROCS(0) - 1),
		packers: semaphore.NewWeighted(maxPackers),
	}
	s.spanBytes, s.readAhead = remoteSpan, remoteAhead
	if _, s.local = cfg.Bucket.(stager); s.local {
		s.spanBytes, s.readAhead = localSpan, localAhead
	}
	rand.Read(s.dedupKey[:]) // never fails (crypto/rand)
	var err error
	if s.xorbs, err = newXorbCache(s.loadXorb); err != nil {
		return nil, fmt.Errorf("cas: %w", err)
	}
	if s.files, err = newFileCache(s.loadFile); err != nil {
		return nil, fmt.Errorf("cas: %w", err)
	}
	if cfg.CopyBytes > 0 {
		s.copies = s.newCopies(cfg.CopyBytes)
	}
	return s, nil
}

// Close lets go of open objects and copies. No method may be running.
func (s *Service) Close() error {
	s.copies.close()
	return s.objects.close()
}

// Stat describes a file by its id, or returns hub.ErrNotFound. The SHA-256 is
// zero if nobody has asked for it yet.
func (s *Service) Stat(ctx context.Context, id hub.XetHash) (File, error) {
	if id.IsZero() {
		return emptyFile, nil
	}
	f, err := s.files.get(ctx, id)
	if err != nil {
		return File{}, err
	}
	sha, err := s.db.Read().FileContent(ctx, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return File{}, err
	}
	return File{Xet: id, SHA256: sha, Size: f.size}, nil
}

// ByContent returns a file with this content, or hub.ErrNotFound. It says
// nothing about who may read it.
func (s *Service) ByContent(ctx context.Context, sha hub.SHA256) (File, error) {
	if sha == emptyFile.SHA256 {
		return emptyFile, nil
	}
	id, size, err := s.db.Read().ContentFile(ctx, sha)
	if errors.Is(err, store.ErrNotFound) {
		return File{}, hub.ErrNotFound
	}
	return File{Xet: id, SHA256: sha, Size: size}, err
}

// emptyFile is the file of no bytes: its id is zero, and it has no rows.
var emptyFile = File{SHA256: hub.SHA256{
	0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
	0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
}}

// loadXorb reads a xorb's row and index for the cache.
func (s *Service) loadXorb(ctx context.Context, id hub.XetHash) (*xorb, error) {
	row, err := s.db.Read().XorbIndex(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, hub.Errorf(hub.CodeNotFound, "There is no xorb %s.", id)
	}
	if err != nil {
		return nil, err
	}
	index, err := xet.ParseIndex(row.Index)
	if err != nil {
		return nil, fmt.Errorf("index of xorb %s: %w", id, err)
	}
	if index.Size() != row.Size || index.RawSize() != row.RawSize {
		return nil, fmt.Errorf("index of xorb %s: sizes %d, %d, the row says %d, %d", id, index.Size(), index.RawSize(), row.Size, row.RawSize)
	}
	return newXorb(id, row.ObjectKey, index), nil
}

// loadFile reads a file's terms for the cache.
func (s *Service) loadFile(ctx context.Context, id hub.XetHash) (*file, error) {
	row, err := s.db.Read().CASFile(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, hub.Errorf(hub.CodeNotFound, "There is no file %s.", id)
	}
	if err != nil {
		return nil, err
	}
	terms, err := parseTerms(row.Terms)
	if err != nil {
		return nil, fmt.Errorf("file %s: %w", id, err)
	}
	f := newFile(id, terms)
	if f.size != row.Size {
		return nil, fmt.Errorf("file %s: terms of %d bytes, the row says %d", id, f.size, row.Size)
	}
	return f, nil
}

// storageError marks a bucket's want of space for the hub's clients.
func storageError(err error) error {
	if errors.Is(err, bucket.ErrNoSpace) {
		return &hub.Error{Code: hub.CodeNoSpace, Message: hub.ErrNoSpace.Message, Err: err}
	}
	return err
}
