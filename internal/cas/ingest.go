package cas

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/store"
	"github.com/pantryhub/pantry/xet"
)

// Expected is what the sender of a file says about it. It counts only if SHA256
// is not zero.
type Expected struct {
	SHA256 hub.SHA256
	Size   int64
}

// Ingest stores the bytes of r as a file, in one pass, and returns when they are
// durable. If the same content is there already, the file that it has is
// returned. The file belongs to nobody until a repository links it.
func (s *Service) Ingest(ctx context.Context, r io.Reader) (File, error) {
	return s.IngestExpected(ctx, r, Expected{})
}

// IngestExpected is Ingest for a file whose content has been announced: if r
// yields anything else, nothing is registered and the error has the code
// hub.CodeUnprocessable.
func (s *Service) IngestExpected(ctx context.Context, r io.Reader, want Expected) (File, error) {
	if !want.SHA256.IsZero() {
		r = io.LimitReader(r, want.Size+1) // one byte too many is proof enough
		known, err := s.ByContent(ctx, want.SHA256)
		if err == nil {
			return known, s.checkOnly(ctx, r, want, known)
		}
		if !errors.Is(err, hub.ErrNotFound) {
			return File{}, err
		}
	}
	in := newIngest(s)
	defer in.close()
	got, err := in.run(ctx, r)
	if err == nil {
		err = want.check(got)
	}
	if err != nil {
		in.abandon()
		return File{}, fmt.Errorf("ingest: %w", err)
	}
	if got.Size == 0 {
		return emptyFile, nil
	}
	known, err := s.ByContent(ctx, got.SHA256)
	if err == nil {
		in.abandon()
		return known, s.touchFile(ctx, known.Xet)
	}
	if !errors.Is(err, hub.ErrNotFound) {
		in.abandon()
		return File{}, fmt.Errorf("ingest: %w", err)
	}
	if err := in.register(ctx, got); err != nil {
		in.abandon()
		return File{}, fmt.Errorf("ingest: %w", err)
	}
	return got, nil
}

// check compares what was announced with what came.
func (want Expected) check(got File) error {
	if want.SHA256.IsZero() {
		return nil
	}
	if got.Size != want.Size {
		return hub.Errorf(hub.CodeUnprocessable, "The file has %d bytes, not the announced %d.", got.Size, want.Size)
	}
	if got.SHA256 != want.SHA256 {
		return hub.Errorf(hub.CodeUnprocessable, "The file's SHA-256 is %s, not the announced %s.", got.SHA256, want.SHA256)
	}
	return nil
}

// checkOnly reads content that is known, to see that the sender has it.
func (s *Service) checkOnly(ctx context.Context, r io.Reader, want Expected, known File) error {
	h := sha256.New()
	n, err := io.Copy(h, r)
	if err == nil {
		err = want.check(File{SHA256: hub.SHA256(h.Sum(nil)), Size: n})
	}
	if err == nil {
		err = s.touchFile(ctx, known.Xet)
	}
	if err != nil {
		return fmt.Errorf("ingest: %w", err)
	}
	return nil
}

func (s *Service) touchFile(ctx context.Context, id hub.XetHash) error {
	if id.IsZero() {
		return nil
	}
	return s.db.Update(ctx, func(q *store.Q) error { return q.TouchFile(ctx, id, s.now()) })
}

// ingest is one file on its way in.
type ingest struct {
	svc  *Service
	enc  xet.Encoder
	tree xet.Aggregator
	size int64

	// xorbs are those that the file may refer to, found and new ones. places
	// finds chunks of the new ones by the first word of their hash.
	xorbs  []*sessionXorb
	places map[uint64]place
	known  []int // of xorbs, the found ones that are searched; newest last

	packing *packing // the new xorb, nil before its first chunk
	puts    *errgroup.Group
	putCtx  context.Context

	terms    []sessionTerm
	first    hub.XetHash // hash of the first chunk
	frag     fragmentation
	deferred run
}

// sessionXorb is a xorb that the file may refer to. A new one has its id and its
// key once it is packed.
type sessionXorb struct {
	id    hub.XetHash
	index *xet.Index // nil for a found one that is not searched any more
	found *xorb      // idem, and nil for a new one
	key   string     // of the object that this session stores, "" if it stores none
}

// place is a chunk of a session's xorb.
type place struct{ xorb, chunk int }

// sessionTerm is a term of the file: chunks [start, end) of a session's xorb.
type sessionTerm struct {
	xorb, start, end int
	size             int64 // raw bytes in them
}

// packing is a new xorb that takes chunks.
type packing struct {
	*xet.XorbWriter
	spool *spool
	at    int // in xorbs
}

func newIngest(s *Service) *ingest {
	return &ingest{svc: s, places: make(map[uint64]place)}
}

// run takes in the whole file. On success all of its xorbs are in the bucket.
func (in *ingest) run(ctx context.Context, r io.Reader) (File, error) {
	in.puts, in.putCtx = errgroup.WithContext(ctx)
	in.puts.SetLimit(1) // pack the next xorb while one is stored, but no third one
	sha, err := in.readAll(ctx, r)
	if err == nil {
		err = in.finish(ctx)
	}
	if putErr := in.puts.Wait(); putErr != nil {
		err = putErr // the reason why the rest was cancelled
	}
	if err != nil {
		return File{}, err
	}
	return File{Xet: in.tree.FileHash(), SHA256: sha, Size: in.size}, nil
}

// readAll reads r block by block, cuts each into chunks and hashes it. The chunks
// of the block before are taken in another goroutine meanwhile.
func (in *ingest) readAll(ctx context.Context, r io.Reader) (hub.SHA256, error) {
	var cutter xet.Cutter
	var cuts []xet.Cut
	var adding ahead
	defer adding.stop()
	buf, carried := blocks.Get().(*block), 0
	defer func() { blocks.Put(buf) }()
	for {
		n, err := readBlock(r, buf[carried:carried+blockSize])
		eof := errors.Is(err, errEnd)
		if err != nil && !eof {
			return hub.SHA256{}, err
		}
		in.size += int64(n)
		cuts = cutter.Cut(cuts[:0], buf[:carried+n], carried)
		chunks, rest := split(buf[:carried+n], cuts)
		if err := errors.Join(adding.wait(), ctx.Err()); err != nil {
			return hub.SHA256{}, err
		}
		if eof {
			if len(rest) > 0 {
				chunks = append(chunks, chunk{rest, xet.ChunkHash(rest)})
			}
			return cutter.SHA256(), in.addAll(ctx, chunks)
		}
		full := buf
		buf = blocks.Get().(*block)
		carried = copy(buf[:], rest)
		adding.begin(func() error {
			defer blocks.Put(full)
			return in.addAll(ctx, chunks)
		})
	}
}

// freshChunk is the next chunk of the file. Its record is made already if it
// seemed to be new; else Record is nil.
type freshChunk struct {
	xet.Job
	hash hub.XetHash
}

// addAll takes the next chunks of the file. What can be done for each on its own
// is spread over idle processors.
func (in *ingest) addAll(ctx context.Context, chunks []chunk) error {
	if err := in.svc.packers.Acquire(ctx, 1); err != nil {
		return err
	}
	defer in.svc.packers.Release(1)
	out := recordPool.Get().(*records)
	defer recordPool.Put(out)
	fresh := make([]freshChunk, len(chunks))
	room := out[:]
	for i, c := range chunks {
		fresh[i] = freshChunk{xet.Job{Chunk: c.data, Record: room[:xet.HeaderSize+len(c.data)]}, c.hash}
		room = room[xet.HeaderSize+len(c.data):]
	}
	order := longestFirst(chunks)
	in.svc.crew.share(len(fresh), func(next func() (i int, ok bool)) {
		in.enc.Records(func() *xet.Job {
			for i, ok := next(); ok; i, ok = next() {
				c := &fresh[order[i]]
				if _, known := in.find(c.hash); !known {
					return &c.Job
				}
				c.Record = nil
			}
			return nil
		})
	})
	for i := range fresh {
		if err := in.add(ctx, &fresh[i]); err != nil {
			return err
		}
	}
	return nil
}

// add takes the next chunk of the file.
func (in *ingest) add(ctx context.Context, c *freshChunk) error {
	if in.tree.Count() == 0 {
		in.first = c.hash
	}
	in.tree.Add(c.hash, uint64(len(c.Chunk)))
	if taken, err := in.continueRun(ctx, c); taken || err != nil {
		return err
	}
	at, ok, err := in.lookup(ctx, c.hash)
	if err != nil {
		return err
	}
	if !ok {
		return in.pack(ctx, c)
	}
	if in.continues(at) {
		in.refer(at, 1)
		return nil
	}
	if need := in.frag.need(); need > 1 {
		in.deferred.begin(at, need)
		_, err := in.continueRun(ctx, c)
		return err
	}
	in.refer(at, 1)
	return nil
}

// continues reports whether a place follows the last term.
func (in *ingest) continues(at place) bool {
	if len(in.terms) == 0 {
		return false
	}
	last := &in.terms[len(in.terms)-1]
	return last.xorb == at.xorb && last.end == at.chunk
}

// refer appends n chunks of a xorb to the file.
func (in *ingest) refer(at place, n int) {
	index := in.xorbs[at.xorb].index
	size := index.RawOffset(at.chunk+n) - index.RawOffset(at.chunk)
	if in.continues(at) {
		last := &in.terms[len(in.terms)-1]
		last.end += n
		last.size += size
		in.frag.extend(n)
		return
	}
	in.terms = append(in.terms, sessionTerm{at.xorb, at.chunk, at.chunk + n, size})
	in.frag.add(n)
}

// pack appends a chunk that is new to the xorb under way, and to the file.
func (in *ingest) pack(ctx context.Context, c *freshChunk) error {
	if in.packing != nil && !in.packing.Fits(len(c.Chunk)) {
		if err := in.cutXorb(ctx); err != nil {
			return err
		}
	}
	if in.packing == nil {
		sp := in.svc.newSpool()
		w := xet.NewXorbWriter(sp, &in.enc)
		in.packing = &packing{XorbWriter: w, spool: sp, at: len(in.xorbs)}
		in.xorbs = append(in.xorbs, &sessionXorb{index: w.Index()})
	}
	at := place{in.packing.at, in.packing.Index().Len()}
	var err error
	if c.Record != nil {
		err = in.packing.AddRecord(c.hash, c.Head, c.Record)
	} else {
		err = in.packing.Add(c.Chunk, c.hash)
	}
	if err != nil {
		return err
	}
	in.places[word(c.hash)] = at
	in.refer(at, 1)
	return nil
}

// cutXorb closes the xorb under way and begins to store it, unless it is stored
// already. It waits while an earlier one is being stored.
func (in *ingest) cutXorb(ctx context.Context) error {
	p := in.packing
	in.packing = nil
	x := in.xorbs[p.at]
	x.id = x.index.XorbHash()
	if _, err := in.svc.xorbs.get(ctx, x.id); !errors.Is(err, hub.ErrNotFound) {
		p.spool.close()
		return err // nil if it is stored already
	}
	x.key = objectKey(x.id, store.NewID())
	in.puts.Go(func() error {
		defer p.spool.close()
		return p.spool.store(in.putCtx, x.key, x.index.Size())
	})
	return nil
}

// finish ends the file.
func (in *ingest) finish(ctx context.Context) error {
	if err := in.rejectRun(ctx); err != nil {
		return err
	}
	if in.packing == nil {
		return nil
	}
	return in.cutXorb(ctx)
}

// close frees what a failed run left.
func (in *ingest) close() {
	if in.packing != nil {
		in.packing.spool.close()
	}
}

// abandon deletes the objects that were stored for nothing, also those of which
// it is not known whether they were stored.
func (in *ingest) abandon() {
	for _, x := range in.xorbs {
		if x.key != "" {
			in.svc.discard(x.key)
		}
	}
}

// discard deletes an object that no row names, even if the request that stored
// it is over. What cannot be deleted is garbage, for the collector.
func (s *Service) discard(key string) {
	if err := s.bucket.Delete(context.Background(), key); err != nil {
		s.log.Warn("leave garbage in the bucket", "key", key, "err", err)
	}
}

// register is the one transaction that makes the file exist.
func (in *ingest) register(ctx context.Context, f File) error {
	terms := in.finalTerms()
	now := in.svc.now()
	var lost []string // objects of xorbs that somebody else registered first
	err := in.svc.db.Update(ctx, func(q *store.Q) error {
		lost = nil
		var created []hub.XetHash
		var chunks []store.DedupChunk
		for _, x := range in.xorbs {
			if x.key == "" {
				continue
			}
			isNew, err := q.PutXorb(ctx, x.row(), x.index.AppendBinary(nil), now)
			if err != nil {
				return err
			}
			if !isNew {
				lost = append(lost, x.key)
				continue
			}
			created = append(created, x.id)
			chunks = appendEligible(chunks, x.id, x.index)
		}
		chunks = append(chunks, store.DedupChunk{Chunk: in.first, Xorb: terms[0].Xorb})
		if err := touchAll(ctx, q, xorbsOf(terms), now); err != nil {
			return err
		}
		if err := q.SetXorbShard(ctx, store.NewID(), created); err != nil {
			return err
		}
		if err := q.PutDedupChunks(ctx, chunks); err != nil {
			return err
		}
		file := store.CASFile{Hash: f.Xet, Size: f.Size, Terms: appendTerms(nil, terms)}
		if _, err := q.PutFiles(ctx, []store.CASFile{file}, now); err != nil {
			return err
		}
		return q.PutContents(ctx, []store.Content{{SHA256: f.SHA256, File: f.Xet}}, now)
	})
	if err != nil {
		return err
	}
	for _, key := range lost {
		in.svc.discard(key)
	}
	return nil
}

func (x *sessionXorb) row() store.Xorb {
	return store.Xorb{Hash: x.id, ObjectKey: x.key, Size: x.index.Size(), RawSize: x.index.RawSize()}
}

// touchAll marks xorbs as of interest. All of them must exist.
func touchAll(ctx context.Context, q *store.Q, xorbs []hub.XetHash, now time.Time) error {
	n, err := q.TouchXorbs(ctx, xorbs, now)
	if err != nil {
		return err
	}
	if n != len(xorbs) {
		return hub.Errorf(hub.CodeUnavailable, "Some of the stored data that the file shares was just collected. Try again.")
	}
	return nil
}

// finalTerms are the file's terms, now that every xorb has a name.
func (in *ingest) finalTerms() []xet.Term {
	terms := make([]xet.Term, len(in.terms))
	for i, t := range in.terms {
		terms[i] = xet.Term{Xorb: in.xorbs[t.xorb].id, Start: uint32(t.start), End: uint32(t.end), Size: uint32(t.size)}
	}
	return terms
}

// appendEligible appends the chunks of a xorb that the global dedup index takes
// on account of their hash.
func appendEligible(dst []store.DedupChunk, id hub.XetHash, x *xet.Index) []store.DedupChunk {
	for i := range x.Len() {
		if h := x.Hash(i); xet.IsGlobalDedup(h) {
			dst = append(dst, store.DedupChunk{Chunk: h, Xorb: id})
		}
	}
	return dst
}

// objectKey is where the object of one upload of a xorb lies in the bucket.
func objectKey(id hub.XetHash, upload int64) string {
	name := id.String()
	return "xorbs/" + name[:2] + "/" + name + "-" + strconv.FormatInt(upload, 16)
}

// word is the part of a hash by which a session finds its own chunks.
func word(h hub.XetHash) uint64 { return binary.LittleEndian.Uint64(h[:8]) }
