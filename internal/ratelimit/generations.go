package ratelimit

// maxKeys bounds what one limiter remembers. At about 150 bytes a key that is
// 10 MB; an attacker who sends from more addresses than this makes the limiter
// forget, oldest first.
const maxKeys = 1 << 16

// generations is a map that forgets: when the young half is full it becomes
// the old half, and what was in the old half and was not asked for is gone.
type generations[V any] struct {
	half       int // capacity of each half
	young, old map[string]V
}

func newGenerations[V any](size int) generations[V] {
	return generations[V]{half: max(size/2, 1), young: make(map[string]V)}
}

func (g *generations[V]) get(key string) (V, bool) {
	if v, ok := g.young[key]; ok {
		return v, true
	}
	v, ok := g.old[key]
	if ok {
		delete(g.old, key)
		g.put(key, v)
	}
	return v, ok
}

func (g *generations[V]) put(key string, v V) {
	if _, ok := g.young[key]; !ok && len(g.young) >= g.half {
		g.old, g.young = g.young, make(map[string]V)
	}
	g.young[key] = v
}

func (g *generations[V]) delete(key string) {
	delete(g.young, key)
	delete(g.old, key)
}

func (g *generations[V]) len() int { return len(g.young) + len(g.old) }
