package generate

import (
	"slices"
	"sync"

	"github.com/pantryhub/pantry/transformers/nn"
)

// prefixCache keeps what the model remembers of recent sequences, so that a
// prompt that begins like one of them (the next turn of a chat, the same system
// message) does not begin at its first token.
type prefixCache struct {
	limit int64 // bytes

	mu      sync.Mutex
	entries []prefixEntry // least recently used first
}

type prefixEntry struct {
	ids  []uint32
	kv   *nn.KV
	long bool // see rescaled
}

// take is a memory of the longest known beginning of the request's prompt, nil
// if there is none. At least one token is left to run. A request with an
// encoded input has none: its memory depends on that input.
func (c *prefixCache) take(r *Request, long bool) *nn.KV {
	if r.Memory != nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	best, longest := -1, 0
	for i, e := range c.entries {
		if n := common(e.ids, r.Prompt[:len(r.Prompt)-1]); n > longest && e.long == long {
			best, longest = i, n
		}
	}
	if best < 0 {
		return nil
	}
	e := c.entries[best]
	c.entries = append(slices.Delete(c.entries, best, best+1), e)
	return e.kv.Fork(longest)
}

func common(a, b []uint32) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// put keeps a finished sequence. An entry that it continues is replaced.
func (c *prefixCache) put(r *Request, ids []uint32, kv *nn.KV, long bool) {
	if r.Memory != nil || kv.Bytes() > c.limit {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries = slices.DeleteFunc(c.entries, func(e prefixEntry) bool { return common(e.ids, ids) == len(e.ids) })
	c.entries = append(c.entries, prefixEntry{slices.Clone(ids), kv, long})
	total := int64(0)
	for i := len(c.entries) - 1; i >= 0; i-- {
		if total += c.entries[i].kv.Bytes(); total > c.limit {
			c.entries = slices.Delete(c.entries, 0, i+1)
			return
		}
	}
}
