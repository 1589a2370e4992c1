package git

import (
	"fmt"
	"testing"

	"github.com/pantryhub/pantry/hub"
)

// largeTestTree is a tree of about weight bytes in the cache.
func largeTestTree(id byte, weight int) *Tree {
	t := &Tree{OID: hub.OID{id}}
	for n := overheadWeight; n < weight; n += entryWeight + 10 {
		t.Entries = append(t.Entries, TreeEntry{Name: fmt.Sprintf("file-%05d", len(t.Entries))})
	}
	return t
}

// TestCacheKeepsTheLastLargeTrees: each large tree is there right after it was
// put, the one used longest ago makes room, and the bound holds.
func TestCacheKeepsTheLastLargeTrees(t *testing.T) {
	c, err := NewCache(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	const weight = maxLarge / 4
	for id := byte(1); id <= 20; id++ {
		tree := largeTestTree(id, weight)
		c.put(1, tree.OID, cached{tree: tree})
		if got := c.get(1, tree.OID).tree; got != tree {
			t.Fatalf("tree %d is not there right after it was put", id)
		}
		if c.get(2, tree.OID).tree != nil {
			t.Errorf("tree %d is there for another repository", id)
		}
		c.get(1, hub.OID{1}) // the first stays in use
		if c.large.bytes > maxLarge {
			t.Fatalf("%d bytes after %d trees, over %d", c.large.bytes, id, maxLarge)
		}
	}
	if c.get(1, hub.OID{1}).tree == nil {
		t.Error("the tree that was always in use is gone")
	}
	if c.get(1, hub.OID{10}).tree != nil {
		t.Error("a tree that was not used for long is still there")
	}
	huge := largeTestTree(99, maxLarge+weight)
	c.put(1, huge.OID, cached{tree: huge})
	if c.get(1, huge.OID).tree != nil || c.get(1, hub.OID{1}).tree == nil {
		t.Error("a tree over the whole bound was kept, or pushed the others out")
	}
}
