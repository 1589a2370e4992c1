package xet

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/pantryhub/pantry/hub"
)

// aggregateByDefinition makes one pass after another over the whole list.
func aggregateByDefinition(nodes []Node) hub.XetHash {
	if len(nodes) == 0 {
		return hub.XetHash{}
	}
	for len(nodes) > 1 {
		var parents []Node
		for len(nodes) > 0 {
			n := groupLen(nodes)
			parents = append(parents, parentOf(nodes[:n]))
			nodes = nodes[n:]
		}
		nodes = parents
	}
	return nodes[0].Hash
}

func aggregate(nodes []Node) *Aggregator {
	a := new(Aggregator)
	for _, n := range nodes {
		a.Add(n.Hash, n.Size)
	}
	return a
}

func TestAggregatedVectors(t *testing.T) {
	raw, err := os.ReadFile("testdata/aggregated.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Nodes  [][2]any
		Xorb   string
		Salted []struct{ Salt, File string }
	}
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) != 18 {
		t.Fatalf("%d vectors, want 18", len(vectors))
	}
	for i, v := range vectors {
		var nodes []Node
		for _, n := range v.Nodes {
			nodes = append(nodes, Node{mustHash(t, n[0].(string)), uint64(n[1].(float64))})
		}
		a := aggregate(nodes)
		if got := a.Sum().String(); got != v.Xorb {
			t.Errorf("vector %d: aggregated hash %s, want %s", i, got, v.Xorb)
		}
		for _, s := range v.Salted {
			if got := a.SaltedFileHash(mustHash(t, s.Salt)).String(); got != s.File {
				t.Errorf("vector %d: file hash under salt %s = %s, want %s", i, s.Salt, got, s.File)
			}
		}
		if got := a.FileHash(); got != a.SaltedFileHash(hub.XetHash{}) {
			t.Errorf("vector %d: FileHash %s differs from the one with a zero salt", i, got)
		}
	}
}

func TestAggregatorIsTheBatchForm(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	kinds := map[string]func(h *hub.XetHash){
		"random":      func(*hub.XetHash) {},
		"always ends": func(h *hub.XetHash) { h[24] &^= 3 },
		"never ends":  func(h *hub.XetHash) { h[24] |= 1 },
	}
	for kind, bend := range kinds {
		for n := range 400 {
			nodes := make([]Node, n)
			for i := range nodes {
				for j := range nodes[i].Hash {
					nodes[i].Hash[j] = byte(rng.Uint32())
				}
				bend(&nodes[i].Hash)
				nodes[i].Size = rng.Uint64N(MaxChunk)
			}
			a := new(Aggregator)
			for _, node := range nodes {
				a.Add(node.Hash, node.Size)
				if rng.IntN(50) == 0 {
					a.Sum() // must not disturb what follows
				}
			}
			if got, want := a.Sum(), aggregateByDefinition(nodes); got != want {
				t.Fatalf("%s, %d nodes: %s, want %s", kind, n, got, want)
			}
		}
	}
}

func TestHashVectors(t *testing.T) {
	one := mustHash(t, "118bbac5c38b2bca9c2b7ae8307786de066696b91b2b5ccb7dbbd4608c966882")
	two := mustHash(t, "7884d4de4bcc904767362a91e97eb6c2b6bc5f3a61b640d0cad8bb1129ff0827")
	c28 := mustHash(t, "c28f58387a60d4aa200c311cda7c7f77f686614864f5869eadebf765d0a14a69")
	x6e := mustHash(t, "6e4e3263e073ce2c0e78cc770c361e2778db3b054b98ab65e277fc084fa70f22")
	key := mustHash(t, "abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789")
	tests := []struct {
		name string
		got  hub.XetHash
		want string
	}{
		{"hmac", HMAC(one, key), "1e1f5ae2bae99fe030647a14a8c5fe6cdce57826387a7552236dfbebed533e04"},
		{"range hash", RangeHash([]hub.XetHash{one, two}), "82d580dd3896919ef870af78b2c7bd21e67e79777922bbc8cef1fc21630c308c"},
		{"range hash of the draft", RangeHash([]hub.XetHash{c28, x6e}), "eb06a8ad81d588ac05d1d9a079232d9c1e7d0b07232fa58091caa7bf333a2768"},
		{"node hash of the draft", parentOf([]Node{{c28, 100}, {x6e, 200}}).Hash, "be64c7003ccd3cf4357364750e04c9592b3c36705dee76a71590c011766b6c14"},
		{"text form", hub.XetHash{22, 175, 58, 132, 4, 75, 131, 214, 190, 153, 138, 66, 226, 3, 153, 242, 204, 86, 80, 234, 249, 153, 80, 99, 159, 80, 65, 138, 236, 231, 149, 78},
			"d6834b04843aaf16f29903e2428a99be635099f9ea5056cc4e95e7ec8a41509f"},
	}
	for _, tt := range tests {
		if got := tt.got.String(); got != tt.want {
			t.Errorf("%s = %s, want %s", tt.name, got, tt.want)
		}
		if got := string(appendText(nil, tt.got)); got != tt.want {
			t.Errorf("%s appended = %s, want %s", tt.name, got, tt.want)
		}
	}
}

func BenchmarkAggregator(b *testing.B) {
	h := ChunkHash([]byte("x"))
	var a Aggregator
	for b.Loop() {
		h[24]++
		a.Add(h, TargetChunk)
	}
}
