package git

import (
	"container/heap"
	"context"
	"iter"

	"github.com/pantryhub/pantry/hub"
)

// Log yields a commit and its ancestors, each once, newest first by commit
// date, as git log does.
func (r Reader) Log(ctx context.Context, from hub.OID) iter.Seq2[hub.Commit, error] {
	return func(yield func(hub.Commit, error) bool) {
		var (
			queue history
			seen  = map[hub.OID]bool{from: true}
			next  = []hub.OID{from}
		)
		for {
			for _, oid := range next {
				c, err := r.commit(ctx, oid)
				if err != nil {
					yield(hub.Commit{}, err)
					return
				}
				queue.add(c)
			}
			if queue.Len() == 0 {
				return
			}
			c := queue.next()
			if !yield(c.Commit, nil) {
				return
			}
			next = next[:0]
			for _, p := range c.Parents {
				if !seen[p] {
					seen[p] = true
					next = append(next, p)
				}
			}
		}
	}
}

// history is a queue of commits, newest first; of equal dates the first added
// comes first.
type history struct {
	items []historyItem
	added int
}

type historyItem struct {
	*commit
	order int
}

func (h *history) add(c *commit) {
	heap.Push(h, historyItem{c, h.added})
	h.added++
}

func (h *history) next() *commit { return heap.Pop(h).(historyItem).commit }

// Len, Less, Swap, Push and Pop make a history a heap.
func (h *history) Len() int { return len(h.items) }
func (h *history) Less(i, j int) bool {
	a, b := h.items[i], h.items[j]
	if a.committed != b.committed {
		return a.committed > b.committed
	}
	return a.order < b.order
}
func (h *history) Swap(i, j int) { h.items[i], h.items[j] = h.items[j], h.items[i] }
func (h *history) Push(x any)    { h.items = append(h.items, x.(historyItem)) }
func (h *history) Pop() any {
	last := h.items[len(h.items)-1]
	h.items = h.items[:len(h.items)-1]
	return last
}

// MaxLastCommits is a fair budget for LastCommits.
const MaxLastCommits = 10_000

// LastCommits returns, for each of the named entries of a folder, the last
// commit at or before from that changed it. It takes from the budget one for
// each commit that it looks at, and stops when none is left. Names that are not
// there, or not reached, are left out. Where a merge took an entry over from a parent unchanged, its history goes on in that
// parent, as in git log -- path.
func (r Reader) LastCommits(ctx context.Context, from hub.OID, dir string, names []string, budget *int) (map[string]hub.Commit, error) {
	w := lastCommits{
		r: r, dir: dir,
		found:   make(map[string]hub.Commit, len(names)),
		pending: make(map[hub.OID][]string),
	}
	c, err := r.commit(ctx, from)
	if err != nil {
		return nil, err
	}
	t, err := r.dir(ctx, c.Tree, dir)
	if err != nil {
		return nil, err
	}
	var present []string
	for _, n := range names {
		if _, ok := t.Find(n); ok {
			present = append(present, n)
		}
	}
	w.push(c, present)
	for ; *budget > 0 && w.queue.Len() > 0; *budget-- {
		if err := w.step(ctx); err != nil {
			return nil, err
		}
	}
	return w.found, nil
}

// lastCommits follows each name back on one line of history until it changes.
// A commit waits in the queue while names are pending for it.
type lastCommits struct {
	r       Reader
	dir     string
	found   map[string]hub.Commit
	pending map[hub.OID][]string
	queue   history
}

func (w *lastCommits) push(c *commit, names []string) {
	if len(names) == 0 {
		return
	}
	waiting, queued := w.pending[c.OID]
	w.pending[c.OID] = append(waiting, names...)
	if !queued {
		w.queue.add(c)
	}
}

// step takes the newest commit, hands the names that a parent has unchanged to
// that parent and records the commit for the others.
func (w *lastCommits) step(ctx context.Context) error {
	c := w.queue.next()
	names := w.pending[c.OID]
	delete(w.pending, c.OID)
	here, err := w.tree(ctx, c)
	if err != nil {
		return err
	}
	for _, oid := range c.Parents {
		if len(names) == 0 {
			return nil
		}
		parent, err := w.r.commit(ctx, oid)
		if err != nil {
			return err
		}
		there, err := w.tree(ctx, parent)
		if err != nil {
			return err
		}
		same, changed := splitSame(here, there, names)
		w.push(parent, same)
		names = changed
	}
	for _, n := range names {
		w.found[n] = c.Commit
	}
	return nil
}

// tree is the folder in a commit, empty if the commit has none.
func (w *lastCommits) tree(ctx context.Context, c *commit) (*Tree, error) {
	t, err := w.r.dir(ctx, c.Tree, w.dir)
	if hub.CodeOf(err) == hub.CodeEntryNotFound {
		return &Tree{}, nil
	}
	return t, err
}

// splitSame divides names by whether both trees have the same entry.
func splitSame(a, b *Tree, names []string) (same, changed []string) {
	if a.OID == b.OID {
		return names, nil
	}
	for _, n := range names {
		x, xok := a.Find(n)
		y, yok := b.Find(n)
		if xok && yok && x.OID == y.OID && x.Mode == y.Mode {
			same = append(same, n)
		} else {
			changed = append(changed, n)
		}
	}
	return same, changed
}
