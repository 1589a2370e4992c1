package chat

import (
	"slices"
	"strconv"
	"strings"
)

// listFilter is a filter of sequences; nil if there is none of that name.
func listFilter(name string) filterFunc {
	switch name {
	case "list":
		return func(r *run, x value, a callArgs) value {
			r.bind(name, a, 0)
			return r.newList(slices.Clone(r.items(x)))
		}
	case "first", "last":
		return func(r *run, x value, a callArgs) value {
			r.bind(name, a, 0)
			if _, ok := x.(*generator); ok && name == "last" {
				r.fail("'generator' object is not reversible")
			}
			next := r.iterator(x)
			item, ok := next()
			if !ok {
				return &undefined{"no " + name + " item, sequence was empty."}
			}
			if name == "first" {
				return item
			}
			items := r.items(x)
			return items[len(items)-1]
		}
	case "join":
		return func(r *run, x value, a callArgs) value {
			b := r.bind(name, a, 0, "d", "attribute")
			get := r.getter(b.value(1, nil), nil)
			var parts []string
			next := r.iterator(x)
			for item, ok := next(); ok; item, ok = next() {
				r.alloc(16)
				parts = append(parts, r.str(get(item)))
			}
			return r.joinStrings(parts, r.str(b.value(0, "")))
		}
	case "items":
		return func(r *run, x value, a callArgs) value {
			r.bind(name, a, 0)
			return lazy(func() func() (value, bool) {
				switch x := x.(type) {
				case *undefined:
					return r.iterator(x)
				case *dict:
					return r.iterator(r.view(x, "items"))
				}
				r.fail("can only get item pairs from a mapping")
				return nil
			})
		}
	case "reverse":
		return func(r *run, x value, a callArgs) value {
			r.bind(name, a, 0)
			items := slices.Clone(r.items(x))
			r.alloc(16 * len(items))
			slices.Reverse(items)
			switch x.(type) {
			case string:
				return r.pick(x, reversed(len(items)))
			case *generator:
				return &list{items}
			}
			return &generator{"list_reverseiterator", r.iterator(&list{items})}
		}
	case "map":
		return mapFilter
	case "select", "reject", "selectattr", "rejectattr":
		return func(r *run, x value, a callArgs) value { return r.choose(name, x, a) }
	case "sort":
		return func(r *run, x value, a callArgs) value {
			b := r.bind(name, a, 0, "reverse", "case_sensitive", "attribute")
			return &list{r.sorted(r.items(x), r.sortKeys(b.value(2, nil), b.truth(1, false)), b.truth(0, false))}
		}
	case "dictsort":
		return dictSort
	case "unique":
		return func(r *run, x value, a callArgs) value {
			b := r.bind(name, a, 0, "case_sensitive", "attribute")
			key := r.sortKey(b.value(1, nil), b.truth(0, false))
			return lazy(func() func() (value, bool) {
				seen := map[any]bool{}
				next := r.iterator(x)
				return func() (value, bool) {
					for item, ok := next(); ok; item, ok = next() {
						if h := r.hash(key(item)); !seen[h] {
							r.alloc(32)
							seen[h] = true
							return item, true
						}
					}
					return nil, false
				}
			})
		}
	case "min", "max":
		return func(r *run, x value, a callArgs) value {
			b := r.bind(name, a, 0, "case_sensitive", "attribute")
			key := r.sortKey(b.value(1, nil), b.truth(0, false))
			next := r.iterator(x)
			best, ok := next()
			if !ok {
				return &undefined{"no aggregated item, sequence was empty."}
			}
			for item, ok := next(); ok; item, ok = next() {
				if name == "min" && r.less(key(item), key(best)) || name == "max" && r.less(key(best), key(item)) {
					best = item
				}
			}
			return best
		}
	case "sum":
		return func(r *run, x value, a callArgs) value {
			b := r.bind(name, a, 0, "attribute", "start")
			get := r.getter(b.value(0, nil), nil)
			total := b.value(1, int64(0))
			if _, ok := total.(string); ok {
				r.fail("sum() can't sum strings [use ''.join(seq) instead]")
			}
			next := r.iterator(x)
			for item, ok := next(); ok; item, ok = next() {
				total = r.binary("+", total, get(item))
			}
			return total
		}
	case "batch":
		return batch
	case "slice":
		return slice
	case "groupby":
		return groupBy
	}
	return nil
}

func reversed(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = n - 1 - i
	}
	return out
}

// getter is the function that fetches an attribute, given as a dotted path
// with numbers for items; without one it is the identity.
func (r *run) getter(attr, orElse value) func(value) value {
	var path []value
	switch attr := attr.(type) {
	case nil:
		return func(v value) value { return v }
	case string:
		for part := range strings.SplitSeq(attr, ".") {
			if i, err := strconv.Atoi(part); err == nil && isDigit(rune(part[0])) {
				path = append(path, int64(i))
				continue
			}
			path = append(path, part)
		}
	default:
		path = []value{attr}
	}
	return func(v value) value {
		for _, key := range path {
			r.step(1)
			v = r.getitem(v, key)
			if _, ok := v.(*undefined); ok && orElse != nil {
				v = orElse
			}
		}
		return v
	}
}

// sortKey is getter for sorting: strings in small letters unless the case
// counts.
func (r *run) sortKey(attr value, caseSensitive bool) func(value) value {
	get := r.getter(attr, nil)
	if caseSensitive {
		return get
	}
	return func(v value) value {
		v = get(v)
		if s, ok := v.(string); ok {
			return lower(s)
		}
		return v
	}
}

// sortKeys is sortKey for the filter sort: attributes with commas between them
// give a list, and so does one.
func (r *run) sortKeys(attr value, caseSensitive bool) func(value) value {
	names, ok := attr.(string)
	if !ok {
		key := r.sortKey(attr, caseSensitive)
		return func(v value) value { return r.newList([]value{key(v)}) }
	}
	var keys []func(value) value
	for n := range strings.SplitSeq(names, ",") {
		keys = append(keys, r.sortKey(n, caseSensitive))
	}
	return func(v value) value {
		out := make([]value, len(keys))
		for i, key := range keys {
			out[i] = key(v)
		}
		return r.newList(out)
	}
}

// lazy is a generator that begins when it is first asked, as the filters of
// Jinja do: what is wrong with one that nobody walks over stays unnoticed.
func lazy(begin func() func() (value, bool)) *generator {
	var next func() (value, bool)
	return &generator{"generator", func() (value, bool) {
		if next == nil {
			next = begin()
		}
		return next()
	}}
}

// sorted is a stable sorted copy of items.
func (r *run) sorted(items []value, key func(value) value, reverse bool) []value {
	type keyed struct{ key, item value }
	r.alloc(48 * len(items))
	all := make([]keyed, len(items))
	for i, item := range items {
		all[i] = keyed{key(item), item}
	}
	slices.SortStableFunc(all, func(x, y keyed) int {
		if reverse {
			x, y = y, x
		}
		if r.less(x.key, y.key) {
			return -1
		}
		if r.less(y.key, x.key) {
			return 1
		}
		return 0
	})
	out := make([]value, len(items))
	for i, k := range all {
		out[i] = k.item
	}
	return out
}

func dictSort(r *run, x value, a callArgs) value {
	b := r.bind("dictsort", a, 0, "case_sensitive", "by", "reverse")
	d, ok := x.(*dict)
	if !ok {
		r.defined(x)
		r.fail("dictsort: '%s' object is not a dict", typeName(x))
	}
	at := int64(slices.Index([]string{"key", "value"}, b.str(1, "key")))
	if at < 0 {
		r.fail(`you can only sort by either "key" or "value"`)
	}
	return &list{r.sorted(r.view(d, "items").items, r.sortKey(at, b.truth(0, false)), b.truth(2, false))}
}

// mapFilter is map("filter", …) and map(attribute=…).
func mapFilter(r *run, x value, a callArgs) value {
	return lazy(func() func() (value, bool) {
		if !truth(x) {
			return nothing
		}
		f := r.mapper(a)
		next := r.iterator(x)
		return func() (value, bool) {
			item, ok := next()
			if !ok {
				return nil, false
			}
			return f(item), true
		}
	})
}

func nothing() (value, bool) { return nil, false }

// mapper is the function that the arguments of map name.
func (r *run) mapper(a callArgs) func(value) value {
	if len(a.args) == 0 {
		b := r.bind("map", a, 0, "attribute", "default")
		if !b.given(0) {
			r.fail("map requires a filter argument")
		}
		return r.getter(b.values[0], b.value(1, nil))
	}
	name, ok := a.args[0].(string)
	if !ok {
		r.fail("map requires the name of a filter")
	}
	rest := callArgs{a.args[1:], a.names, a.values}
	return func(item value) value { return r.filter(name, item, rest) }
}

// choose is select, reject, selectattr and rejectattr.
func (r *run) choose(name string, x value, a callArgs) value {
	return lazy(func() func() (value, bool) {
		if !truth(x) {
			return nothing
		}
		passes := r.chooser(name, a)
		next := r.iterator(x)
		return func() (value, bool) {
			for item, ok := next(); ok; item, ok = next() {
				if passes(item) {
					return item, true
				}
			}
			return nil, false
		}
	})
}

// chooser is the condition that name and its arguments set.
func (r *run) chooser(name string, a callArgs) func(value) bool {
	get := r.getter(nil, nil)
	args := a.args
	if strings.HasSuffix(name, "attr") {
		if len(args) == 0 {
			r.fail("missing parameter for attribute name")
		}
		get = r.getter(args[0], nil)
		args = args[1:]
	}
	passes := truth
	if len(args) > 0 {
		testName, ok := args[0].(string)
		if !ok {
			r.fail("%s requires the name of a test", name)
		}
		rest := callArgs{args[1:], a.names, a.values}
		passes = func(v value) bool { return r.test(testName, v, rest) }
	}
	want := strings.HasPrefix(name, "select")
	return func(v value) bool { return passes(get(v)) == want }
}

func batch(r *run, x value, a callArgs) value {
	b := r.bind("batch", a, 1, "linecount", "fill_with")
	return lazy(func() func() (value, bool) {
		next := r.iterator(x)
		size, fill := b.values[0], b.value(1, nil)
		var row []value
		done := false
		return func() (value, bool) {
			for !done {
				item, ok := next()
				if !ok {
					done = true
					break
				}
				r.alloc(16)
				if full := row; r.equal(int64(len(full)), size) {
					row = []value{item}
					return &list{full}, true
				}
				row = append(row, item)
			}
			if len(row) == 0 {
				return nil, false
			}
			for fill != nil && r.less(int64(len(row)), size) {
				r.alloc(16)
				row = append(row, fill)
			}
			last := row
			row = nil
			return &list{last}, true
		}
	})
}

func slice(r *run, x value, a callArgs) value {
	b := r.bind("slice", a, 1, "slices", "fill_with")
	return lazy(func() func() (value, bool) {
		items := r.items(x)
		n, fill := b.integer(0, 0), b.value(1, nil)
		if n == 0 {
			r.fail("integer division or modulo by zero")
		}
		per, extra := int64(len(items))/n, int64(len(items))%n
		at, i := int64(0), int64(0)
		return func() (value, bool) {
			if i >= n {
				return nil, false
			}
			size := per
			if i < extra {
				size++
			}
			row := slices.Clone(items[at : at+size])
			if fill != nil && i >= extra {
				row = append(row, fill)
			}
			at += size
			i++
			r.step(1)
			return r.newList(row), true
		}
	})
}

func groupBy(r *run, x value, a callArgs) value {
	b := r.bind("groupby", a, 1, "attribute", "default", "case_sensitive")
	get := r.getter(b.values[0], b.value(1, nil))
	key := get
	if !b.truth(2, false) {
		key = func(v value) value {
			k := get(v)
			if s, ok := k.(string); ok {
				return lower(s)
			}
			return k
		}
	}
	var groups, group []value
	flush := func() {
		if len(group) > 0 {
			groups = append(groups, &tuple{[]value{get(group[0]), r.newList(group)}})
		}
		group = nil
	}
	for _, item := range r.sorted(r.items(x), key, false) {
		if len(group) > 0 && !r.equal(key(group[0]), key(item)) {
			flush()
		}
		group = append(group, item)
	}
	flush()
	return r.newList(groups)
}
