package xet

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pantryhub/pantry/hub"
)

// splitmix and xorshift are the generators of the published vectors.
func splitmix(seed uint64, n int) []byte {
	out := make([]byte, 0, n+8)
	for len(out) < n {
		seed += 0x9E3779B97F4A7C15
		z := seed
		z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
		z = (z ^ z>>27) * 0x94D049BB133111EB
		out = binary.LittleEndian.AppendUint64(out, z^z>>31)
	}
	return out[:n]
}

func xorshift(x uint32, n int) []byte {
	out := make([]byte, 0, n+4)
	for len(out) < n {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		out = binary.LittleEndian.AppendUint32(out, x)
	}
	return out[:n]
}

func generated(n int, at func(i int) byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = at(i)
	}
	return b
}

// chunkEnds cuts data, handing it to the chunker in blocks of the given size.
func chunkEnds(data []byte, block int) []int {
	var c Chunker
	var ends []int
	pos, open := 0, false
	for pos < len(data) {
		n, done := c.Next(data[pos:min(pos+block, len(data))])
		pos += n
		open = !done
		if done {
			ends = append(ends, pos)
		}
	}
	if open {
		ends = append(ends, len(data))
	}
	return ends
}

func split(data []byte) [][]byte {
	var chunks [][]byte
	start := 0
	for _, end := range chunkEnds(data, len(data)) {
		chunks = append(chunks, data[start:end])
		start = end
	}
	return chunks
}

func mustHash(t testing.TB, s string) hub.XetHash {
	t.Helper()
	h, err := hub.ParseXetHash(s)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestGearTableIsTheClients(t *testing.T) {
	h := sha256.New()
	for _, w := range gear {
		h.Write(binary.LittleEndian.AppendUint64(nil, w))
	}
	const want = "e1d3936666d7ae7a977c958e9afcc75f90aaca758ce5fbe4ece61dffefe1912c"
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		t.Errorf("SHA-256 of the table = %s, want %s", got, want)
	}
}

func TestFileVectors(t *testing.T) {
	lines, err := os.ReadFile("testdata/splitmix0.txt")
	if err != nil {
		t.Fatal(err)
	}
	var ends0 []int
	var hashes0 []string
	for line := range strings.Lines(string(lines)) {
		end, hash, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, _ := strconv.Atoi(end)
		ends0, hashes0 = append(ends0, n), append(hashes0, hash)
	}
	every128k := []int{131072, 262144, 393216, 524288, 655360, 786432, 917504, 1000000}
	const full59 = "d3b528b30528f3ad802a015cdf93c531d4da754a1f8c0d341a8f111fd8b6f04e"

	tests := []struct {
		name                  string
		data                  []byte
		ends                  []int // the first ones
		chunks                int
		hashes                []string
		xorb, file, rangeHash string
	}{
		{name: "empty", file: strings.Repeat("0", 64), xorb: strings.Repeat("0", 64)},
		{name: "a", data: []byte("a"), ends: []int{1}, chunks: 1,
			xorb:      "a4d4ed80fcb2fe5177fc59321d3e6f90faf23e35a48d58303114bf073f34178a",
			file:      "49a7fffaf5f34109d4a191757f3e541e26437dcd1e0e83153454a503757856be",
			rangeHash: "1856127f86e6e067d17ce895d84d9963bd53565e566fc0be2a8cee4cf198e63c"},
		{name: "Hello World!", data: []byte("Hello World!"), ends: []int{12}, chunks: 1,
			xorb:      "d8d408e608fb9ca213b9909a65d86d725f2de4d8d540324be8a363e7a6e228cb",
			file:      "a9dae0ad88b060bdd7e7c87abdcf95b132c95a0414b06d4f6beb68d287b87165",
			rangeHash: "89cb63458e98cb4c75be6b50a5a7b7234b82f05d5348e6925fb71aaf5dc3862b"},
		{name: "Hello World! newline", data: []byte("Hello World!\n"), ends: []int{13}, chunks: 1,
			xorb:      "e11d004e9968f3c8a9179dca907aafe0fc1cbb73f429fe142514db413b6552f6",
			file:      "26bcb87aa2953ba3b5c282d9581ac5572a4c7481399a64c03cdff89242a9b3f2",
			rangeHash: "c3705f8c9bb7e672bdbfdd15f20e16a2e59c4b3668c112799ca991f931da44db"},
		{name: "splitmix 0", data: splitmix(0, 1_000_000), ends: ends0, chunks: 19, hashes: hashes0,
			xorb:      "6f2ce16ca5e317f0100ff0e7e5bf40a0de9032e9ee1ad04b6b8ff4e36cdfbf6c",
			file:      "3d17b2d7d64a0e011b6717a52d9a16bd2c3f05b743fa8adf52a7d75dafab6d89",
			rangeHash: "6daf15a7ed258b91f607e8f5e6723a8564292d12c8104c156f7bad9c255a0180"},
		{name: "splitmix 1", data: splitmix(1, 256_000), ends: []int{25125, 104497, 235569, 256000}, chunks: 4,
			xorb: "335db8e272cac859dec35783bbc12c7f433bbcea50528d154cb07bf36888a51f",
			file: "116cd39641ee392863a30c2a5bd6ab04676177a75604729bb98cfc4052fc3131"},
		{name: "constant 59", data: bytes.Repeat([]byte{59}, 1_000_000), ends: every128k, chunks: 8,
			hashes: []string{full59, full59, full59, full59, full59, full59, full59,
				"99d04e49b71237231d47669f3eec84c90eb6b6be12b364ce326c05c6d71c3a9f"},
			xorb: "a6b5a7f0bb38b6fd5fb39031eb7564e18ea0e7a0b7bea87de54ed1db8bc85884",
			file: "53f845640fcd1c7440befff65bd93434c83a30c6559a705597d61f2ef64e2f88"},
		{name: "7i+13", data: generated(200_000, func(i int) byte { return byte(7*i + 13) }), chunks: 2,
			xorb: "f0755d96ee199d4f01e83da9fe2c38353de7fd38fb79a320a7d50be510026f74",
			file: "d88d9e0b760f32c90b7c6592b4cb85251c01bb797371e3c637087b96ac578723"},
		{name: "13i+37", data: generated(1_000_000, func(i int) byte { return byte(13*i + 37) }), chunks: 8,
			xorb: "7be289d851485c40dcde52dbcf37a7823a5ef0bfcdf1ca1c5a32ad9594c71571",
			file: "041a50f3639f4a080a89237025d643e2a3e22935ca5d7dbc1a38f5c1e859f859"},
		{name: "xorshift 16 MiB", data: xorshift(0x9e3779b9, 16<<20), ends: []int{21409, 127063, 180402, 218078}, chunks: 262,
			hashes:    []string{"938d1429b38abcb092dedc73381916783a9e6ea4f6dc4c0627e919e59230cb52"},
			xorb:      "33e8e177fbc2412e7127a91116996b2dfc00bcca6deedf52ed2d58d88b665c87",
			file:      "db87c64abb1bca4a230f911257c76fc6b83bf74e448bd91b9ec8201dfc1b67fb",
			rangeHash: "ba1af21fe8180a16d0a79183861387107b5e9318e5ba271ef1c538cdb82a48ea"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var agg Aggregator
			var ends []int
			var hashes []hub.XetHash
			pos := 0
			for _, chunk := range split(tt.data) {
				pos += len(chunk)
				h := ChunkHash(chunk)
				agg.Add(h, uint64(len(chunk)))
				ends, hashes = append(ends, pos), append(hashes, h)
			}
			if len(ends) != tt.chunks || !slices.Equal(ends[:len(tt.ends)], tt.ends) {
				t.Errorf("chunk ends = %d: %v, want %d: %v", len(ends), ends, tt.chunks, tt.ends)
			}
			for i, want := range tt.hashes {
				if got := hashes[i].String(); got != want {
					t.Errorf("chunk %d hash = %s, want %s", i, got, want)
				}
			}
			if got := agg.Sum().String(); got != tt.xorb {
				t.Errorf("aggregated hash = %s, want %s", got, tt.xorb)
			}
			if got := agg.FileHash().String(); got != tt.file {
				t.Errorf("file hash = %s, want %s", got, tt.file)
			}
			if got := RangeHash(hashes).String(); tt.rangeHash != "" && got != tt.rangeHash {
				t.Errorf("range hash = %s, want %s", got, tt.rangeHash)
			}
			if tt.chunks == 262 {
				eligible := -1
				for i, h := range hashes {
					if IsGlobalDedup(h) {
						eligible = i
					}
				}
				if eligible != 186 {
					t.Errorf("last eligible chunk = %d, want 186", eligible)
				}
			}
		})
	}
}

func TestChunkerTriggerPatterns(t *testing.T) {
	f, err := os.Open("testdata/trigger.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Scan()
	pattern, err := hex.DecodeString(lines.Text())
	if err != nil || len(pattern) != 128 {
		t.Fatalf("pattern of %d bytes: %v", len(pattern), err)
	}
	for i := 0; i < 128; i++ {
		if !lines.Scan() {
			t.Fatalf("no line for pattern %d", i)
		}
		unit := append(slices.Clone(pattern), make([]byte, i)...)
		data := bytes.Repeat(unit, 65536/len(unit)+1)[:65536]
		got := strings.Trim(strings.ReplaceAll(fmt.Sprint(chunkEnds(data, len(data))), " ", ","), "[]")
		if got != lines.Text() {
			t.Errorf("pattern %d: ends %s, want %s", i, got, lines.Text())
		}
	}
}

// chunkEndsByDefinition is the rule as the format states it, one byte at a time.
func chunkEndsByDefinition(data []byte) []int {
	var ends []int
	var h uint64
	size := 0
	for i, b := range data {
		h = h<<1 + gear[b]
		size++
		if size == MaxChunk || size >= MinChunk && h>>48 == 0 {
			ends = append(ends, i+1)
			h, size = 0, 0
		}
	}
	if size > 0 {
		ends = append(ends, len(data))
	}
	return ends
}

func TestChunkerIsTheDefinitionWhateverTheBlocks(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	random := splitmix(7, 1<<20)
	mixed := slices.Concat(random[:200_000], make([]byte, 300_000), random[200_000:300_000], bytes.Repeat([]byte("abcdefg"), 40_000))
	for _, data := range [][]byte{random, mixed, random[:MinChunk-1], random[:MinChunk], random[:1]} {
		want := chunkEndsByDefinition(data)
		for _, block := range []int{1, 7, 63, 64, 65, 4096, MinChunk - 1, MinChunk, MinChunk + 1, 1 + rng.IntN(200_000), MaxChunk, len(data)} {
			if got := chunkEnds(data, block); !slices.Equal(got, want) {
				t.Fatalf("%d bytes in blocks of %d: ends %v, want %v", len(data), block, got, want)
			}
		}
	}
}

func FuzzChunker(f *testing.F) {
	f.Add([]byte("abc"), uint64(1), uint32(100_000), uint32(70_000))
	f.Add([]byte{}, uint64(2), uint32(300_000), uint32(1<<20))
	f.Fuzz(func(t *testing.T, unit []byte, seed uint64, random, block uint32) {
		data := splitmix(seed, int(random%(1<<19)))
		if len(unit) > 0 {
			data = append(data, bytes.Repeat(unit, 1+200_000/len(unit))...)
		}
		want := chunkEndsByDefinition(data)
		if got := chunkEnds(data, 1+int(block%(1<<19))); !slices.Equal(got, want) {
			t.Fatalf("ends %v, want %v", got, want)
		}
	})
}

func BenchmarkChunker(b *testing.B) {
	data := splitmix(3, 16<<20)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		chunkEnds(data, len(data))
	}
}

func BenchmarkChunkHash(b *testing.B) {
	data := splitmix(3, TargetChunk)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		ChunkHash(data)
	}
}

func BenchmarkSHA256(b *testing.B) {
	data := splitmix(3, TargetChunk)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		sha256.Sum256(data)
	}
}
