package xet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pantryhub/pantry/hub"
)

// helloShard describes the file "Hello World!".
func helloShard(t testing.TB) *Shard {
	t.Helper()
	_, x := makeXorb(t, []byte("Hello World!"))
	name := x.XorbHash()
	sum, err := hub.ParseSHA256("7f83b1657ff1fc53b92dc18148a1d65dfc2d4b1fa3d677284addd200126d9069")
	if err != nil {
		t.Fatal(err)
	}
	xorb := x.ShardXorb(name)
	xorb.Stored = 0
	return &Shard{
		Files: []ShardFile{{
			Hash:         mustHash(t, "a9dae0ad88b060bdd7e7c87abdcf95b132c95a0414b06d4f6beb68d287b87165"),
			Terms:        []Term{{Xorb: name, Start: 0, End: 1, Size: 12}},
			Verification: []hub.XetHash{x.RangeHash(0, 1)},
			SHA256:       sum,
		}},
		Xorbs: []ShardXorb{xorb},
	}
}

func TestGoldenShard(t *testing.T) {
	_, _, want := golden(t)
	s := helloShard(t)
	if got := s.AppendUpload(nil); !bytes.Equal(got, want) {
		t.Errorf("shard\n%x, want\n%x", got, want)
	}
	got, err := ReadShard(bytes.NewReader(want), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(s, got); d != "" {
		t.Errorf("parsed (-want +got):\n%s", d)
	}
	if n := got.Files[0].Size(); n != 12 {
		t.Errorf("file of %d bytes, want 12", n)
	}
}

func TestShardWithFooter(t *testing.T) {
	s := helloShard(t)
	body := s.AppendUpload(nil)
	binary.LittleEndian.PutUint64(body[40:], footerSize)
	foot := make([]byte, footerSize)
	foot[0] = footerVersion
	for name, tables := range map[string]int{"no tables": 0, "tables": 12 * 8, "many tables": 500_000} {
		b := slices.Concat(body, make([]byte, tables), foot)
		got, err := ReadShard(bytes.NewReader(b), 1<<20)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := *s
		want.Footer = &ShardFooter{}
		if d := cmp.Diff(&want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestDedupShard(t *testing.T) {
	_, x := makeXorb(t, splitmix(1, 300_000))
	name := x.XorbHash()
	key := ChunkHash([]byte("key"))
	s := &Shard{Xorbs: []ShardXorb{x.ShardXorb(name)}}
	s.Hide(key)
	b := s.AppendDedup(nil, ShardFooter{Key: key, Created: 100, Expires: 200})

	end := uint64(len(b) - footerSize)
	for _, off := range []int{24, 40, 56, 192} {
		if got := binary.LittleEndian.Uint64(b[int(end)+off:]); got != end {
			t.Errorf("footer field at %d = %d, want the end of the xorb section, %d", off, got, end)
		}
	}
	got, err := ReadShard(bytes.NewReader(b), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	want := x.ShardXorb(name)
	for i := range want.Chunks {
		want.Chunks[i].Hash = HMAC(x.Hash(i), key)
	}
	if d := cmp.Diff(&Shard{Xorbs: []ShardXorb{want}, Footer: &ShardFooter{Key: key, Created: 100, Expires: 200}}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestHostileShards(t *testing.T) {
	_, _, good := golden(t)
	edit := func(at int, v ...byte) []byte {
		b := slices.Clone(good)
		copy(b[at:], v)
		return b
	}
	withFooter := edit(40, footerSize)
	tests := map[string][]byte{
		"empty":             {},
		"magic":             edit(3, 'x'),
		"version":           edit(32, 3),
		"footer size":       edit(40, 100),
		"terms":             edit(48+36, 0xff, 0xff, 0xff, 0xff),
		"chunks":            edit(48*6+36, 0xff, 0xff, 0xff, 0xff),
		"no second bookend": good[:len(good)-48],
		"cut in a record":   good[:len(good)-1],
		"footer missing":    withFooter,
		"footer cut":        append(withFooter, make([]byte, footerSize-1)...),
		"footer version":    append(withFooter, make([]byte, footerSize)...),
		"too large":         append(slices.Clone(good), make([]byte, 4096)...),
	}
	for name, b := range tests {
		if _, err := ReadShard(bytes.NewReader(b), 4096); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v, want corrupt", name, err)
		}
	}
	if _, err := ReadShard(strings.NewReader(string(good)), int64(len(good))); err != nil {
		t.Errorf("exactly at the limit: %v", err)
	}
}

func FuzzReadShard(f *testing.F) {
	_, _, shard := golden(f)
	f.Add(shard)
	_, x := makeXorb(f, splitmix(1, 100_000))
	s := &Shard{Xorbs: []ShardXorb{x.ShardXorb(x.XorbHash())}}
	f.Add(s.AppendDedup(nil, ShardFooter{Key: x.Hash(0)}))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ReadShard(bytes.NewReader(b), 1<<16)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("error %v does not say corrupt", err)
			}
			return
		}
		again, err := ReadShard(bytes.NewReader(s.AppendUpload(nil)), 1<<17)
		if err != nil || len(again.Files) != len(s.Files) || len(again.Xorbs) != len(s.Xorbs) {
			t.Fatalf("parsed, but does not survive: %v", err)
		}
	})
}
