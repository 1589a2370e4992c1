package cas

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/xet"
)

// Bounds of the copies.
const (
	maxCopies  = 256             // open files
	maxTallies = 4096            // files whose downloads are counted; twice as many for a while
	maxWanted  = 16              // files that wait to be copied
	copyIdle   = time.Hour       // how long a copy is kept that nobody reads
	copyCheck  = 5 * time.Second // how often that, and the disk, is looked at
	copyWrite  = 1 << 20         // bytes written at once
	copyGain   = 8               // a local file is copied if at least 1/copyGain of it must be inflated
)

// copyReserve is how much of a disk copies leave free.
func copyReserve(total int64) int64 { return min(total/10, 5e9) }

// copies keeps files in one piece that are downloaded again and again, so that
// they need not be fetched and inflated each time. A copy is believed once the
// hash of its bytes is the id of the file. It lies in a file of the cache folder
// that has no name: nobody else can change it, and it vanishes with the process.
//
// A nil *copies keeps none.
type copies struct {
	dir   string
	limit int64 // bytes of all copies
	fill  func(context.Context, *file, io.Writer) error
	space func(dir string) (free, total int64, err error)
	now   func() time.Time
	log   *slog.Logger

	wanted chan *file
	stop   context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	kept   map[hub.XetHash]*fileCopy
	bytes  int64                 // of what is kept
	served map[hub.XetHash]tally // by file, of late
	before map[hub.XetHash]tally // and before that
}

// fileCopy is the copy of a file. Its fields are guarded by the mutex of the
// copies.
type fileCopy struct {
	object
	id      hub.XetHash
	readers int
	used    time.Time
	dropped bool // to be closed by its last reader
}

// tally is how much of a file has been downloaded.
type tally struct {
	bytes int64
	done  bool // it was considered: copied, or not worth it
}

// errNoCopy is wrapped by the reasons that nobody needs to know of.
var errNoCopy = errors.New("no copy is made")

func (s *Service) newCopies(limit int64) *copies {
	ctx, stop := context.WithCancel(context.Background())
	c := &copies{
		dir: cmp.Or(s.spoolDir, os.TempDir()), limit: limit, fill: s.writeCopy, space: diskSpace, now: s.now, log: s.log,
		wanted: make(chan *file, maxWanted), stop: stop, done: make(chan struct{}),
		kept: make(map[hub.XetHash]*fileCopy), served: make(map[hub.XetHash]tally),
	}
	go c.run(ctx)
	return c
}

// get returns the copy of a file of which n bytes are to be sent, or nil. It
// must be released. A file is wanted once as many bytes of it were sent as it
// has: one that is downloaded once is not copied.
func (c *copies) get(f *file, n int64) *fileCopy {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.kept[f.id]; k != nil {
		k.readers++
		k.used = c.now()
		return k
	}
	t, ok := c.served[f.id]
	if !ok {
		t = c.before[f.id]
	}
	if t.bytes >= f.size && !t.done && f.size > 0 {
		select {
		case c.wanted <- f:
			t.done = true
		default: // another time
		}
	}
	t.bytes += n
	c.count(f.id, t)
	return nil
}

// count notes a tally and forgets old ones. c.mu is held.
func (c *copies) count(id hub.XetHash, t tally) {
	if len(c.served) >= maxTallies {
		c.served, c.before = make(map[hub.XetHash]tally), c.served
	}
	c.served[id] = t
}

func (c *copies) release(k *fileCopy) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k.readers--
	if k.readers == 0 && k.dropped {
		k.Close()
	}
}

// run makes copies, one at a time.
func (c *copies) run(ctx context.Context) {
	defer close(c.done)
	check := time.NewTicker(copyCheck)
	defer check.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-check.C:
			c.dropIdle()
			c.makeRoom(0)
		case f := <-c.wanted:
			err := c.add(ctx, f)
			switch {
			case err == nil, errors.Is(err, errNoCopy), ctx.Err() != nil:
			case errors.Is(err, xet.ErrCorrupt):
				c.log.Error("stored file is damaged", "file", f.id, "err", err)
			default:
				c.log.Warn("file not copied to the cache", "file", f.id, "err", err)
			}
		}
	}
}

// add makes the copy of a file.
func (c *copies) add(ctx context.Context, f *file) error {
	if !c.makeRoom(f.size) {
		return fmt.Errorf("%w: there is no room", errNoCopy)
	}
	dst, err := namelessFile(c.dir)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(dst, copyWrite)
	err = c.fill(ctx, f, w)
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		dst.Close()
		return spoolError(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept[f.id] = &fileCopy{object: object{Object: localFile{dst, f.size}}, id: f.id, used: c.now()}
	c.bytes += f.size
	return nil
}

// makeRoom drops the copies that were used longest ago until one of so many
// bytes fits into the limit and on the disk. It reports whether it does.
func (c *copies) makeRoom(size int64) bool {
	if size > c.limit {
		return false
	}
	for {
		free, total, err := c.space(c.dir)
		enough := err != nil || free-size >= copyReserve(total)
		c.mu.Lock()
		fits := c.bytes+size <= c.limit && len(c.kept) < maxCopies
		dropped := false
		if !fits || !enough {
			dropped = c.dropOldest()
		}
		c.mu.Unlock()
		if fits && enough || !dropped {
			return fits && enough
		}
	}
}

// dropOldest drops the copy that was used longest ago, if there is any. c.mu is
// held.
func (c *copies) dropOldest() bool {
	var oldest *fileCopy
	for _, k := range c.kept {
		if oldest == nil || k.used.Before(oldest.used) {
			oldest = k
		}
	}
	if oldest != nil {
		c.drop(oldest)
	}
	return oldest != nil
}

// drop forgets a copy, and closes it once it has no reader. Before it is made
// again the file must be downloaded as often as before. c.mu is held.
func (c *copies) drop(k *fileCopy) {
	delete(c.kept, k.id)
	delete(c.served, k.id)
	delete(c.before, k.id)
	c.bytes -= k.Size()
	k.dropped = true
	if k.readers == 0 {
		k.Close()
	}
}

// dropIdle drops the copies that nobody reads any more.
func (c *copies) dropIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.kept {
		if k.readers == 0 && c.now().Sub(k.used) >= copyIdle {
			c.drop(k)
		}
	}
}

// close drops every copy. No reader may be left.
func (c *copies) close() {
	if c == nil {
		return
	}
	c.stop()
	<-c.done
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.dropOldest() {
	}
}

// localFile is a file without a name as an object.
type localFile struct {
	f    *os.File
	size int64
}

func (l localFile) ReadAt(p []byte, off int64) (int, error) { return l.f.ReadAt(p, off) }
func (l localFile) Close() error                            { return l.f.Close() }
func (l localFile) Size() int64                             { return l.size }
func (l localFile) File() *os.File                          { return l.f }

// writeCopy writes a file if its copy is worth having, and fails unless the
// bytes hash to its id. It leaves half of a processor to others.
func (s *Service) writeCopy(ctx context.Context, f *file, w io.Writer) error {
	r := &Reader{ctx: ctx, svc: s, file: f}
	gain, err := r.copyGain()
	if err != nil {
		return err
	}
	if gain < f.size/copyGain {
		return fmt.Errorf("%w: it would gain nothing", errNoCopy)
	}
	var sum xet.Aggregator
	err = r.eachSpan(0, f.size, func(sp span) error {
		began := time.Now()
		o, err := s.openXorb(ctx, sp.xorb)
		if err != nil {
			return err
		}
		defer s.objects.release(o)
		err = eachChunk(o, sp, func(chunk []byte) error {
			sum.Add(xet.ChunkHash(chunk), uint64(len(chunk)))
			_, err := w.Write(chunk)
			return err
		})
		time.Sleep(time.Since(began))
		return errors.Join(err, ctx.Err())
	})
	if err != nil {
		return err
	}
	if got := sum.FileHash(); got != f.id {
		return fmt.Errorf("%w: the chunks of file %s make the file %s", xet.ErrCorrupt, f.id, got)
	}
	return nil
}

// copyGain is how many bytes of the file take more than reading them from a
// local file: those that must be inflated, or fetched from afar.
func (r *Reader) copyGain() (int64, error) {
	if !r.svc.local {
		return r.Size(), nil
	}
	var gain int64
	for _, t := range r.file.terms {
		x, err := r.index(t.Xorb)
		if err != nil {
			return 0, err
		}
		if err := x.CheckTerm(t); err != nil {
			return 0, err
		}
		for i := int(t.Start); i < int(t.End); i++ {
			if c := x.Chunk(i); c.Scheme != xet.Stored {
				gain += int64(c.Raw)
			}
		}
	}
	return gain, nil
}
