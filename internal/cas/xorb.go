package cas

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/store"
	"github.com/pantryhub/pantry/xet"
)

// PutXorb takes in a xorb that a client packed. The body is read to its end, and
// believed only if everything in it hashes to id; then its records are stored as
// they came, without a footer. inserted is false if the xorb is known already.
func (s *Service) PutXorb(ctx context.Context, id hub.XetHash, body io.Reader) (inserted bool, err error) {
	sp := s.newSpool()
	defer sp.close()
	_, err = s.xorbs.get(ctx, id)
	known := err == nil
	switch {
	case known: // verified all the same, but not kept
	case errors.Is(err, hub.ErrNotFound):
		body = io.TeeReader(body, sp)
	default:
		return false, fmt.Errorf("put xorb: %w", err)
	}
	index, err := xet.ReadXorb(body)
	if err != nil {
		return false, fmt.Errorf("put xorb: %w", refused(err))
	}
	if got := index.XorbHash(); got != id {
		return false, hub.Invalidf("The body is the xorb %s, not %s.", got, id)
	}
	if known {
		return false, s.touchXorb(ctx, id)
	}
	inserted, err = s.storeXorb(ctx, id, index, sp)
	if err != nil {
		return false, fmt.Errorf("put xorb: %w", err)
	}
	return inserted, nil
}

// storeXorb stores the records in sp and registers them.
func (s *Service) storeXorb(ctx context.Context, id hub.XetHash, index *xet.Index, sp *spool) (bool, error) {
	row := store.Xorb{Hash: id, ObjectKey: objectKey(id, store.NewID()), Size: index.Size(), RawSize: index.RawSize()}
	if err := sp.store(ctx, row.ObjectKey, row.Size); err != nil {
		return false, err
	}
	created := false
	err := s.db.Update(ctx, func(q *store.Q) (err error) {
		created, err = q.PutXorb(ctx, row, index.AppendBinary(nil), s.now())
		return err
	})
	if err != nil || !created {
		s.discard(row.ObjectKey)
	}
	return created, err
}

// touchXorb marks a xorb that a client has offered again.
func (s *Service) touchXorb(ctx context.Context, id hub.XetHash) error {
	return s.db.Update(ctx, func(q *store.Q) error {
		return touchAll(ctx, q, []hub.XetHash{id}, s.now())
	})
}

// StoredXorb is a stored xorb as clients fetch it.
type StoredXorb struct {
	svc  *Service
	xorb *xorb
}

// Xorb returns a stored xorb, or hub.ErrNotFound.
func (s *Service) Xorb(ctx context.Context, id hub.XetHash) (*StoredXorb, error) {
	x, err := s.xorbs.get(ctx, id)
	if err != nil {
		return nil, err
	}
	return &StoredXorb{s, x}, nil
}

// Size is the size of the stored records.
func (x *StoredXorb) Size() int64 { return x.xorb.index.Size() }

// Presign returns a URL at the bucket from which the records can be fetched, or
// "" if they must be fetched from here.
func (x *StoredXorb) Presign(ctx context.Context, ttl time.Duration) (string, error) {
	return x.svc.bucket.Presign(ctx, x.xorb.key, ttl)
}

// WriteRange writes bytes [from, to) of the records to w, from a local file over
// plain TCP without copying them to memory of ours.
func (x *StoredXorb) WriteRange(ctx context.Context, w io.Writer, from, to int64) (int64, error) {
	if from < 0 || from > to || to > x.Size() {
		return 0, fmt.Errorf("cas: bytes [%d, %d) of a xorb of %d", from, to, x.Size())
	}
	o, err := x.svc.openXorb(ctx, x.xorb)
	if err != nil {
		return 0, asInternal(err)
	}
	defer x.svc.objects.release(o)
	return io.Copy(w, &objectSection{o: o, pos: from, end: to})
}

// refused turns an error about foreign bytes into one about the request.
func refused(err error) error {
	if errors.Is(err, xet.ErrCorrupt) {
		return &hub.Error{Code: hub.CodeInvalid, Message: err.Error()}
	}
	return err
}
