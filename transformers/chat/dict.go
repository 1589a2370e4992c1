package chat

import (
	"math"
	"slices"
	"strings"
)

// dict is a dictionary in order of insertion.
type dict struct {
	keys, values []value
	index        map[any]int // by hash key
}

func newDict(n int) *dict {
	return &dict{keys: make([]value, 0, n), values: make([]value, 0, n), index: make(map[any]int, n)}
}

// get looks a string up.
func (d *dict) get(key string) (value, bool) {
	i, ok := d.index[key]
	if !ok {
		return nil, false
	}
	return d.values[i], true
}

// set is for the making of a dict.
func (d *dict) set(key string, v value) { d.put(key, key, v) }

func (d *dict) put(hash any, key, v value) {
	if i, ok := d.index[hash]; ok {
		d.values[i] = v
		return
	}
	d.index[hash] = len(d.keys)
	d.keys = append(d.keys, key)
	d.values = append(d.values, v)
}

// noneKey, undefinedKey and tupleKey are the hash keys of what Go would not compare as
// Python does.
type (
	noneKey      struct{}
	undefinedKey struct{}
	tupleKey     string
)

// hash is a comparable that is equal for equal keys: 1, 1.0 and True are the
// same. It fails for what Python cannot hash.
func (r *run) hash(v value) any {
	switch v := v.(type) {
	case nil:
		return noneKey{}
	case bool:
		if v {
			return int64(1)
		}
		return int64(0)
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<62 {
			return int64(v)
		}
		return v
	case *list, *dict, *view:
		r.fail("unhashable type: '%s'", typeName(v))
	case *tuple:
		var b strings.Builder
		for _, item := range v.items {
			h := r.hash(item)
			if f, ok := h.(float64); ok {
				b.WriteString("f" + floatRepr(f) + ",")
				continue
			}
			if _, ok := h.(noneKey); ok {
				h = nil
			}
			if t, ok := h.(tupleKey); ok {
				b.WriteString("(" + string(t) + "),")
				r.alloc(len(t))
				continue
			}
			r.repr(&b, h)
			b.WriteByte(',')
		}
		return tupleKey(b.String())
	case *undefined:
		return undefinedKey{}
	}
	return v
}

// hashable tells what hash does not fail for.
func hashable(v value) bool {
	switch v := v.(type) {
	case *list, *dict, *view:
		return false
	case *tuple:
		return !slices.ContainsFunc(v.items, func(item value) bool { return !hashable(item) })
	}
	return true
}

// lookup is d[key].
func (r *run) lookup(d *dict, key value) (value, bool) {
	i, ok := d.index[r.hash(key)]
	if !ok {
		return nil, false
	}
	return d.values[i], true
}

// copyDict is dict(d).
func (r *run) copyDict(d *dict) *dict {
	r.alloc(48 * len(d.keys))
	c := newDict(len(d.keys))
	for i, k := range d.keys {
		c.put(r.hash(k), k, d.values[i])
	}
	return c
}
