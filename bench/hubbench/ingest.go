package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/pantryhub/pantry/internal/bucket"
	"github.com/pantryhub/pantry/xet"
)

type ingestCommand struct{}

// Run measures LFS uploads of a large file to an empty hub, and how much of
// the server's time the necessary parts of the work take on their own.
func (c *ingestCommand) Run(ctx context.Context, s *settings) error {
	r := newReport("ingest", fmt.Sprintf("LFS upload of %s", s.Size))
	r.text("PUT and commit of one file to an empty hub, which chunks, hashes, deduplicates, compresses and stores it on the way. " +
		"*MB/s per core* is bytes by the server's CPU seconds; the rest of the time it waits for the disk or the client. Target: ≥ 400 MB/s per core. " +
		"*Lines* are no easier than real text: LZ4 finds a match every 12 bytes in them, as in English prose (10 in a table of names and sentences, 14 in Go source). *4-bit* and *2-bit* are quantised weights, which save nothing, and so little that every chunk is compressed twice.")
	kinds := []dataKind{random, weights, lines, fours, twos}
	rounds := make([]results, len(kinds))
	stored := make([]int64, len(kinds))
	var sides []func(context.Context) error
	for i, kind := range kinds {
		file, err := s.data(kind, int64(s.Size))
		if err != nil {
			return err
		}
		sides = append(sides, func(ctx context.Context) error {
			one, size, err := c.once(ctx, s, file)
			rounds[i], stored[i] = append(rounds[i], one), size
			return err
		})
	}
	if err := s.rounds(ctx, sides...); err != nil {
		return err
	}

	var rows [][]any
	for i, kind := range kinds {
		perCore := rounds[i].median(func(r result) float64 { return float64(r.bytes) / 1e6 / r.cpu.Seconds() })
		rows = append(rows, []any{kind, rounds[i].median(result.megabytes), perCore, verdict(perCore >= 400),
			float64(stored[i]) / float64(rounds[i][0].bytes)})
	}
	r.table([]string{"content", "MB/s", "MB/s per core", "target", "stored/sent"}, rows)

	rows = nil
	for i, kind := range kinds {
		shares, err := c.parts(ctx, s, kind, rounds[i].median(func(r result) float64 { return r.cpu.Seconds() }))
		if err != nil {
			return err
		}
		rows = append(rows, append([]any{kind}, shares...))
	}
	r.text("Shares of the server's CPU time, each part measured alone on the same bytes by one core. Chunk scan, BLAKE3 of the chunks and SHA-256 are *one pass*; what each of the three would take by itself is behind it, and not in the sum. *Disk* is a bucket on a folder storing the stored bytes: its CPU share, and its speed, which bounds MB/s above.")
	r.table([]string{"content", "one pass", "(chunk scan", "BLAKE3", "SHA-256)", "compression", "disk", "disk MB/s", "everything else"}, rows)
	return r.write(s)
}

// once uploads a file to an empty hub and returns what that cost and stored.
func (c *ingestCommand) once(ctx context.Context, s *settings, file dataFile) (result, int64, error) {
	p, end, err := startHub(ctx, s)
	if err != nil {
		return result{}, 0, err
	}
	defer end()
	before, err := p.cpu()
	if err != nil {
		return result{}, 0, err
	}
	wall, err := timed(func() error {
		_, err := p.addLarge(ctx, "large", file)
		return err
	})
	if err != nil {
		return result{}, 0, err
	}
	after, err := p.cpu()
	if err != nil {
		return result{}, 0, err
	}
	stored, err := p.storedBytes()
	return result{requests: 1, bytes: file.size, wall: wall, cpu: after - before}, stored, err
}

// parts measures the parts of the work and returns them as shares of total
// CPU seconds.
func (c *ingestCommand) parts(ctx context.Context, s *settings, kind dataKind, total float64) ([]any, error) {
	file, err := s.data(kind, int64(s.Size))
	if err != nil {
		return nil, err
	}
	var cost costs
	if err := cost.ofContent(ctx, file); err != nil {
		return nil, err
	}
	diskCPU, diskWall, err := diskCost(ctx, s, file, min(cost.stored, file.size)) // headers make what does not compress longer
	if err != nil {
		return nil, err
	}
	share := func(d time.Duration) any { return fmt.Sprintf("%.0f %%", 100*d.Seconds()/total) }
	rest := total - (cost.pass + cost.compress + diskCPU).Seconds()
	return []any{share(cost.pass), share(cost.scan), share(cost.blake3), share(cost.sha256), share(cost.compress), share(diskCPU),
		float64(cost.stored) / 1e6 / diskWall.Seconds(), fmt.Sprintf("%.0f %%", 100*rest/total)}, nil
}

// costs are the times of the parts of ingesting a file.
type costs struct {
	pass                 time.Duration // the next three at once
	scan, blake3, sha256 time.Duration
	compress             time.Duration

	stored int64
}

// block is what is read at once: small enough for a cache to hold.
const block = 1 << 20

// ofContent runs every part over the file. The parts alternate block by block,
// on bytes that are in the cache as they are in the server.
func (c *costs) ofContent(ctx context.Context, file dataFile) error {
	f, err := os.Open(file.path)
	if err != nil {
		return err
	}
	defer f.Close()
	var (
		in      = bufio.NewReaderSize(f, block)
		cutter  xet.Cutter
		cuts    []xet.Cut
		seen    int // bytes of the current chunk that the cutter has seen
		encoder xet.Encoder
		sum     = sha256.New()
		space   = make([]byte, block+block/xet.MinChunk*xet.HeaderSize)
	)
	clock := func(to *time.Duration, f func()) {
		begun := ownCPU()
		f()
		*to += ownCPU() - begun
	}
	for ctx.Err() == nil {
		data, err := in.Peek(block)
		if len(data) == 0 {
			if err == io.EOF {
				return nil
			}
			return err
		}
		clock(&c.pass, func() { cuts = cutter.Cut(cuts[:0], data, seen) })
		var chunks [][]byte
		n := 0
		for _, cut := range cuts {
			chunks, n = append(chunks, data[n:cut.End]), cut.End
		}
		if err == io.EOF && n < len(data) {
			chunks, n = append(chunks, data[n:]), len(data)
		}
		seen = len(data) - n
		clock(&c.scan, func() { rescan(data[:n]) })
		clock(&c.blake3, func() {
			for _, chunk := range chunks {
				xet.ChunkHash(chunk)
			}
		})
		clock(&c.sha256, func() { sum.Write(data[:n]) })
		clock(&c.compress, func() { c.stored += encode(&encoder, space, chunks) })
		if _, err := in.Discard(n); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// rescan looks for the ends of chunks in data, which begins with one.
func rescan(data []byte) {
	var chunker xet.Chunker
	for len(data) > 0 {
		n, _ := chunker.Next(data)
		data = data[n:]
	}
}

// encode makes the records of chunks in space and returns their size.
func encode(encoder *xet.Encoder, space []byte, chunks [][]byte) (stored int64) {
	jobs := make([]xet.Job, len(chunks))
	i := 0
	encoder.Records(func() *xet.Job {
		if i == len(jobs) {
			return nil
		}
		n := xet.HeaderSize + len(chunks[i])
		jobs[i] = xet.Job{Chunk: chunks[i], Record: space[:n]}
		space = space[n:]
		i++
		return &jobs[i-1]
	})
	for i := range jobs {
		stored += int64(len(jobs[i].Record))
	}
	return stored
}

// diskCost has a bucket store so many bytes of a file, as objects of the size of
// xorbs.
func diskCost(ctx context.Context, s *settings, file dataFile, size int64) (cpu, wall time.Duration, err error) {
	dir, remove, err := s.folder("disk")
	if err != nil {
		return 0, 0, err
	}
	defer remove()
	b, err := bucket.OpenDir(dir)
	if err != nil {
		return 0, 0, err
	}
	in, err := os.Open(file.path)
	if err != nil {
		return 0, 0, err
	}
	defer in.Close()
	object := make([]byte, xet.MaxXorbRaw)
	for i := 0; size > 0; i++ {
		n, err := io.ReadFull(in, object[:min(size, int64(len(object)))])
		if err != nil {
			return 0, 0, err
		}
		size -= int64(n)
		begun, before := time.Now(), ownCPU()
		_, err = b.Put(ctx, fmt.Sprintf("xorbs/%d", i), bytes.NewReader(object[:n]), int64(n))
		cpu += ownCPU() - before
		wall += time.Since(begun)
		if err != nil {
			return 0, 0, err
		}
	}
	return cpu, wall, nil
}
