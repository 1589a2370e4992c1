package xet

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pierrec/lz4/v4"

	"github.com/pantryhub/pantry/hub"
)

// golden reads the byte strings of "Hello World!": xorb body, footer, shard.
func golden(t testing.TB) (body, footer, shard []byte) {
	t.Helper()
	raw, err := os.ReadFile("testdata/hello.txt")
	if err != nil {
		t.Fatal(err)
	}
	var parts [3][]byte
	for i, line := range strings.Fields(string(raw)) {
		if parts[i], err = hex.DecodeString(line); err != nil {
			t.Fatal(err)
		}
	}
	return parts[0], parts[1], parts[2]
}

// appendFooter appends the footer (version 1) that older clients put behind the
// records.
func appendFooter(dst []byte, x *Index) []byte {
	start := len(dst)
	name := x.XorbHash()
	n := uint32(x.Len())
	dst = append(append(append(dst, footerIdent...), 1), name[:]...)
	hashesAt := len(dst)
	dst = binary.LittleEndian.AppendUint32(append(append(dst, "XBLBHSH"...), 0), n)
	for i := range x.entries {
		dst = append(dst, x.entries[i].hash[:]...)
	}
	boundsAt := len(dst)
	dst = binary.LittleEndian.AppendUint32(append(append(dst, "XBLBBND"...), 1), n)
	for i := range x.entries {
		dst = binary.LittleEndian.AppendUint32(dst, x.entries[i].end)
	}
	for i := range x.entries {
		dst = binary.LittleEndian.AppendUint32(dst, x.entries[i].rawEnd)
	}
	const tail = 3*4 + 16 // what follows, without the final length
	end := len(dst) + tail
	dst = binary.LittleEndian.AppendUint32(dst, n)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(end-hashesAt))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(end-boundsAt))
	dst = append(dst, make([]byte, 16)...)
	return binary.LittleEndian.AppendUint32(dst, uint32(len(dst)-start))
}

// makeXorb packs data into one xorb.
func makeXorb(t testing.TB, data []byte) (body []byte, index *Index) {
	t.Helper()
	var out bytes.Buffer
	w := NewXorbWriter(&out, new(Encoder))
	for _, chunk := range split(data) {
		if !w.Fits(len(chunk)) {
			t.Fatal("the data does not fit into a xorb")
		}
		if err := w.Add(chunk, ChunkHash(chunk)); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes(), w.Index()
}

// The kinds of data that the schemes differ on.
func kindsOfData() map[string][]byte {
	random := splitmix(11, 1<<20)
	bf16 := slices.Clone(random)
	for i := 1; i < len(bf16); i += 2 {
		bf16[i] = 0x3c | bf16[i]&3 // sign and exponent vary little
	}
	text := []byte(strings.Repeat("the quick brown fox jumps over the lazy dog; ", 20_000))
	weights := make([]byte, 0, 1<<20)
	rng := rand.New(rand.NewPCG(1, 3))
	for len(weights) < 1<<20 {
		weights = binary.LittleEndian.AppendUint16(weights, uint16(math.Float32bits(float32(rng.NormFloat64()*4))>>16))
	}
	quantised := make([]byte, 0, 1<<20) // blocks of a scale and 32 numbers of 8 bits, as in Q8_0 but with little in them
	for len(quantised) < 1<<20 {
		quantised = binary.LittleEndian.AppendUint16(quantised, 0x2000|uint16(rng.IntN(256)))
		for range 32 {
			quantised = append(quantised, byte(int8(max(-127, min(127, rng.NormFloat64()*4)))))
		}
	}
	return map[string][]byte{
		"random":    random,
		"quantised": quantised,
		"weights":   weights,
		"bf16":      bf16,
		"text":      text,
		"zeros":     make([]byte, 500_000),
		"mixed":     slices.Concat(random[:300_000], text[:300_000], bf16[:300_000]),
		"tiny":      []byte("x"),
	}
}

func TestXorbRoundTrip(t *testing.T) {
	for kind, data := range kindsOfData() {
		t.Run(kind, func(t *testing.T) {
			body, index := makeXorb(t, data)
			if index.Size() != int64(len(body)) || index.RawSize() != int64(len(data)) {
				t.Fatalf("index says %d stored, %d raw bytes; they are %d, %d", index.Size(), index.RawSize(), len(body), len(data))
			}
			for name, foot := range map[string][]byte{"none": nil, "version 1": appendFooter(nil, index), "version 0": append([]byte("XETBLOB\x00"), make([]byte, 100)...)} {
				got, err := ReadXorb(bytes.NewReader(slices.Concat(body, foot)))
				if err != nil {
					t.Fatalf("footer %s: %v", name, err)
				}
				if !slices.Equal(got.entries, index.entries) {
					t.Errorf("footer %s: the index read differs from the one written", name)
				}
			}
			var out []byte
			err := index.ReadVerified(body, 0, index.Len(), func(c []byte) error {
				out = append(out, c...)
				return nil
			})
			if err != nil || !bytes.Equal(out, data) {
				t.Errorf("chunks read back: %v, equal %v", err, bytes.Equal(out, data))
			}
			parsed, err := ParseIndex(index.AppendBinary(nil))
			if err != nil || !slices.Equal(parsed.entries, index.entries) {
				t.Errorf("index does not survive its binary form: %v", err)
			}
			ratio := float64(len(body)) / float64(len(data))
			want := map[string]float64{"random": 1.001, "quantised": 0.965, "bf16": 0.80, "weights": 0.872, "text": 0.05, "zeros": 0.02, "mixed": 0.70, "tiny": 9}[kind]
			if ratio > want {
				t.Errorf("stored/raw = %.3f, want at most %.3f", ratio, want)
			}
		})
	}
}

func TestGoldenXorb(t *testing.T) {
	body, footer, _ := golden(t)
	got, index := makeXorb(t, []byte("Hello World!"))
	if !bytes.Equal(got, body) {
		t.Errorf("body %x, want %x", got, body)
	}
	if got := appendFooter(nil, index); !bytes.Equal(got, footer) {
		t.Errorf("footer\n%x, want\n%x", got, footer)
	}
	const name = "d8d408e608fb9ca213b9909a65d86d725f2de4d8d540324be8a363e7a6e228cb"
	if got := index.XorbHash().String(); got != name {
		t.Errorf("name %s, want %s", got, name)
	}
}

// TestForeignFrames decodes frames as other LZ4 encoders write them.
func TestForeignFrames(t *testing.T) {
	data := []byte(strings.Repeat("0123456789abcdef-", 8000))[:MaxChunk-5]
	options := map[string][]lz4.Option{
		"default":        nil,
		"no checksum":    {lz4.ChecksumOption(false)},
		"size":           {lz4.SizeOption(uint64(len(data)))},
		"64 KiB blocks":  {lz4.BlockSizeOption(lz4.Block64Kb)},
		"block checksum": {lz4.BlockChecksumOption(true), lz4.BlockSizeOption(lz4.Block64Kb)},
		"4 MiB blocks":   {lz4.BlockSizeOption(lz4.Block4Mb)},
		"high":           {lz4.CompressionLevelOption(lz4.Level9)},
	}
	for name, opts := range options {
		var buf bytes.Buffer
		w := lz4.NewWriter(&buf)
		if err := w.Apply(opts...); err != nil {
			t.Fatal(err)
		}
		w.Write(data)
		w.Close()
		got := make([]byte, len(data))
		if err := decodeFrame(got, buf.Bytes()); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %v, equal %v", name, err, bytes.Equal(got, data))
		}
		for _, bad := range []int{len(data) - 1, len(data) + 1} {
			if err := decodeFrame(make([]byte, bad), buf.Bytes()); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: into %d bytes instead of %d: %v, want corrupt", name, bad, len(data), err)
			}
		}
	}
}

// TestLinkedBlocks decodes blocks that refer to earlier ones, as the JavaScript
// client may write them.
func TestLinkedBlocks(t *testing.T) {
	first := splitmix(5, 1000)
	frame := binary.LittleEndian.AppendUint32(nil, frameMagic)
	frame = append(frame, flagVersion, 7<<4)
	frame = append(frame, byte(xxh32(frame[4:])>>8))
	frame = binary.LittleEndian.AppendUint32(frame, uint32(len(first))|blockStored)
	frame = append(frame, first...)
	// One match of 500 bytes at distance 1000, then five literals.
	second := []byte{0x0f, 0xe8, 0x03, 255, 500 - 4 - 15 - 255, 0x50, 'h', 'e', 'l', 'l', 'o'}
	frame = binary.LittleEndian.AppendUint32(frame, uint32(len(second)))
	frame = append(frame, second...)
	frame = binary.LittleEndian.AppendUint32(frame, 0)
	want := slices.Concat(first, first[:500], []byte("hello"))
	got := make([]byte, len(want))
	if err := decodeFrame(got, frame); err != nil || !bytes.Equal(got, want) {
		t.Errorf("linked blocks: %v, equal %v", err, bytes.Equal(got, want))
	}
	frame[4] |= flagIndependent
	frame[6] = byte(xxh32(frame[4:6]) >> 8)
	if err := decodeFrame(got, frame); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a match before an independent block: %v, want corrupt", err)
	}
}

func TestXXH32(t *testing.T) {
	for s, want := range map[string]uint32{"": 0x02cc5d05, "a": 0x550d7456, "abc": 0x32d153ff,
		"Nobody inspects the spammish repetition": 0xe2293b2f} {
		if got := xxh32([]byte(s)); got != want {
			t.Errorf("xxh32(%q) = %#x, want %#x", s, got, want)
		}
	}
}

func TestGroup4(t *testing.T) {
	for n := range 700 {
		src := splitmix(uint64(n), n)
		var want []byte
		for lane := range 4 {
			for i := lane; i < n; i += 4 {
				want = append(want, src[i])
			}
		}
		got, back := make([]byte, n), make([]byte, n)
		group4(got, src)
		if !bytes.Equal(got, want) {
			t.Fatalf("group4 of %d bytes = %x, want %x", n, got, want)
		}
		ungroup4(back, got)
		if !bytes.Equal(back, src) {
			t.Fatalf("ungroup4 of %d bytes = %x, want %x", n, back, src)
		}
	}
}

func TestHostileXorbs(t *testing.T) {
	body, index := makeXorb(t, kindsOfData()["mixed"])
	second := int(index.Offset(1))
	edit := func(at int, v byte) []byte {
		b := slices.Clone(body)
		b[at] = v
		return b
	}
	stored := Header{Payload: 4, Raw: 4}.Append(nil)
	tests := map[string][]byte{
		"empty":                   {},
		"only a footer":           []byte("XETBLOB\x01"),
		"half a header":           body[:5],
		"cut in a payload":        body[:second-1],
		"cut in a second header":  body[:second+3],
		"version":                 edit(0, 1),
		"scheme":                  edit(4, 3),
		"stored sizes differ":     edit(5, body[5]^1),
		"no payload":              Header{Payload: 4, Raw: 4}.Append(nil),
		"raw too large":           append(Header{Payload: MaxChunk + 1, Raw: MaxChunk + 1}.Append(nil), make([]byte, MaxChunk+1)...),
		"raw zero":                {0, 0, 0, 0, 0, 0, 0, 0},
		"too many chunks":         bytes.Repeat(append(stored, "abcd"...), MaxXorbChunks+1),
		"endless footer":          slices.Concat(body, []byte(footerIdent), make([]byte, maxFooter)),
		"rubbish behind the last": append(slices.Clone(body), "rubbish!"...),
		"not a frame":             append(Header{Payload: 4, Raw: 9, Scheme: LZ4}.Append(nil), "abcd"...),
	}
	for name, b := range tests {
		if _, err := ReadXorb(bytes.NewReader(b)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v, want corrupt", name, err)
		}
	}
	broken := errors.New("connection reset")
	if _, err := ReadXorb(&failingReader{body[:second+20], broken}); !errors.Is(err, broken) || errors.Is(err, ErrCorrupt) {
		t.Errorf("a failing reader: %v, want its own error", err)
	}
}

type failingReader struct {
	data []byte
	err  error
}

func (r *failingReader) Read(p []byte) (int, error) {
	if len(r.data) == 0 {
		return 0, r.err
	}
	n := copy(p, r.data)
	r.data = r.data[n:]
	return n, nil
}

func TestReadChunksNoticesDamage(t *testing.T) {
	body, index := makeXorb(t, splitmix(2, 300_000))
	read := func(b []byte, start, end int) error {
		return index.ReadVerified(b, start, end, func([]byte) error { return nil })
	}
	if err := read(body[index.Offset(1):index.Offset(3)], 1, 3); err != nil {
		t.Fatal(err)
	}
	damaged := slices.Clone(body)
	damaged[index.Offset(1)+100] ^= 1
	for name, err := range map[string]error{
		"flipped bit": read(damaged, 0, index.Len()),
		"short":       read(body[:len(body)-1], 0, index.Len()),
		"shifted":     read(body[1:], 0, index.Len()-1),
	} {
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v, want corrupt", name, err)
		}
	}
}

func TestIndexFind(t *testing.T) {
	_, x := makeXorb(t, splitmix(9, 400_000))
	rng := rand.New(rand.NewPCG(5, 6))
	for range 1000 {
		raw := rng.Int64N(400_000)
		i := x.Find(raw)
		if raw < x.RawOffset(i) || raw >= x.RawOffset(i+1) {
			t.Fatalf("Find(%d) = %d, which holds [%d, %d)", raw, i, x.RawOffset(i), x.RawOffset(i+1))
		}
	}
	if got := x.Find(400_000); got != x.Len() {
		t.Errorf("Find(end) = %d, want %d", got, x.Len())
	}
}

func TestXorbWriterLimits(t *testing.T) {
	w := NewXorbWriter(new(bytes.Buffer), new(Encoder))
	for i := range MaxXorbChunks {
		if !w.Fits(1) {
			t.Fatalf("chunk %d does not fit", i)
		}
		if err := w.Add([]byte{byte(i)}, hub.XetHash{}); err != nil {
			t.Fatal(err)
		}
	}
	if w.Fits(1) {
		t.Errorf("a chunk too many fits")
	}
	if err := w.Add([]byte{1}, hub.XetHash{}); err == nil {
		t.Errorf("a chunk too many was added")
	}
}

func FuzzReadXorb(f *testing.F) {
	body, _, _ := golden(f)
	f.Add(body)
	for _, data := range kindsOfData() {
		b, x := makeXorb(f, data[:min(len(data), 30_000)])
		f.Add(b)
		f.Add(appendFooter(b, x))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := ReadXorb(bytes.NewReader(b))
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("error %v does not say corrupt", err)
			}
			return
		}
		if x.Size() > int64(len(b)) {
			t.Fatalf("%d bytes of records in %d", x.Size(), len(b))
		}
		if err := x.ReadVerified(b, 0, x.Len(), func([]byte) error { return nil }); err != nil {
			t.Fatalf("accepted, but cannot be read back: %v", err)
		}
	})
}

func FuzzParseIndex(f *testing.F) {
	for _, data := range kindsOfData() {
		_, x := makeXorb(f, data)
		f.Add(x.AppendBinary(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := ParseIndex(b)
		if err != nil {
			return
		}
		again, err := ParseIndex(x.AppendBinary(nil))
		if err != nil || !slices.Equal(again.entries, x.entries) {
			t.Fatalf("parsed, but does not survive: %v", err)
		}
		if x.Size() > math.MaxUint32 || x.RawSize() > MaxXorbChunks*MaxChunk {
			t.Fatalf("sizes %d, %d pass the limits", x.Size(), x.RawSize())
		}
	})
}

// TestScant: a chunk that hardly compresses is looked at again, everywhere.
func TestScant(t *testing.T) {
	var quick, kept, raw int
	for _, chunk := range split(kindsOfData()["quantised"]) {
		var s lz4Stream
		s.start(make([]byte, len(chunk)-1), chunk)
		s.run()
		if n := s.finish(); n > 0 {
			quick += n
		} else {
			quick += len(chunk)
		}
		job := Job{Chunk: chunk, Record: make([]byte, HeaderSize+len(chunk))}
		once := &job
		new(Encoder).Records(func() *Job { j := once; once = nil; return j })
		kept += job.Head.Payload
		raw += len(chunk)
	}
	if kept >= quick || quick > raw {
		t.Errorf("%d bytes are %d after one quick look, %d as stored", raw, quick, kept)
	}
}

func BenchmarkEncoder(b *testing.B) {
	for kind, data := range kindsOfData() {
		chunks := split(data)
		b.Run(kind, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			e := new(Encoder)
			jobs := make([]Job, len(chunks))
			room := make([]byte, len(chunks)*(HeaderSize+MaxChunk))
			stored := 0
			for b.Loop() {
				i := 0
				e.Records(func() *Job {
					if i == len(chunks) {
						return nil
					}
					job := &jobs[i]
					*job = Job{Chunk: chunks[i], Record: room[i*(HeaderSize+MaxChunk):][:HeaderSize+len(chunks[i])]}
					i++
					return job
				})
				stored = 0
				for i := range jobs {
					stored += len(jobs[i].Record)
				}
			}
			b.ReportMetric(float64(stored)/float64(len(data)), "stored/raw")
		})
	}
}

func BenchmarkReadXorb(b *testing.B) {
	for kind, data := range kindsOfData() {
		body, _ := makeXorb(b, data)
		b.Run(kind, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := ReadXorb(bytes.NewReader(body)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkGroup4(b *testing.B) {
	src, dst := splitmix(1, TargetChunk), make([]byte, TargetChunk)
	for name, move := range map[string]func(dst, src []byte){"split": group4, "join": ungroup4} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(TargetChunk)
			for b.Loop() {
				move(dst, src)
			}
		})
	}
}
