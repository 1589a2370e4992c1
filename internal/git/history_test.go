package git_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/git"
	"github.com/pantryhub/pantry/internal/store"
	"github.com/pantryhub/pantry/internal/store/storetest"
)

// checkListing compares List, whole, by folder and resumed after every entry,
// with git ls-tree.
func (r *repo) checkListing(real gitDir, head, root hub.OID) {
	r.t.Helper()
	ctx := context.Background()
	listing := func(dir string, recursive bool, after string) []string {
		out := []string{}
		for _, e := range collect(r.t, r.cold().List(ctx, root, dir, recursive, after)) {
			kind := "blob"
			if e.Kind == hub.DirEntry {
				kind = "tree"
			}
			out = append(out, fmt.Sprintf("%s %s\t%s", kind, e.OID, e.Path))
		}
		return out
	}
	pathOf := func(line string) string { _, path, _ := strings.Cut(line, "\t"); return path }
	ls := func(args ...string) []string {
		out := []string{}
		for _, line := range lines(real.run("", append([]string{"ls-tree", "-z"}, args...)...)) {
			_, line, _ = strings.Cut(line, " ") // the mode
			out = append(out, line)
		}
		return out
	}
	all := ls("-r", "-t", head.String())
	if len(all) < 10 {
		r.t.Fatalf("the tree has only %d entries", len(all))
	}
	if diff := cmp.Diff(all, listing("", true, "")); diff != "" {
		r.t.Fatalf("List (-git +ours):\n%s", diff)
	}
	for i, line := range all {
		if diff := cmp.Diff(all[i+1:], listing("", true, pathOf(line))); diff != "" {
			r.t.Fatalf("List after %q (-git +ours):\n%s", pathOf(line), diff)
		}
		if !strings.HasPrefix(line, "tree") {
			continue
		}
		dir := pathOf(line)
		below := ls(head.String(), dir+"/")
		if diff := cmp.Diff(below, listing(dir, false, "")); diff != "" {
			r.t.Fatalf("List of %s (-git +ours):\n%s", dir, diff)
		}
		for i, line := range below {
			if diff := cmp.Diff(below[i+1:], listing(dir, false, pathOf(line))); diff != "" {
				r.t.Fatalf("List of %s after %q (-git +ours):\n%s", dir, pathOf(line), diff)
			}
		}
		below = ls("-r", "-t", head.String(), dir+"/")
		below = below[slices.IndexFunc(below, func(l string) bool { return pathOf(l) == dir })+1:]
		if diff := cmp.Diff(below, listing(dir, true, "")); diff != "" {
			r.t.Fatalf("List of all of %s (-git +ours):\n%s", dir, diff)
		}
	}
}

func (r *repo) checkLog(real gitDir, head hub.OID) {
	r.t.Helper()
	var got []string
	for _, c := range collect(r.t, r.cold().Log(context.Background(), head)) {
		got = append(got, c.OID.String())
	}
	want := strings.Fields(real.run("", "log", "--format=%H", head.String()))
	if diff := cmp.Diff(want, got); diff != "" {
		r.t.Fatalf("Log (-git +ours):\n%s", diff)
	}
}

func (r *repo) checkLastCommits(real gitDir, head hub.OID, dir string) {
	r.t.Helper()
	ctx := context.Background()
	c, err := r.cold().Commit(ctx, head)
	if err != nil {
		r.t.Fatal(err)
	}
	var names []string
	want := map[string]string{}
	for e, err := range r.cold().List(ctx, c.Tree, dir, false, "") {
		if hub.CodeOf(err) == hub.CodeEntryNotFound {
			return // the random edits left no such folder
		}
		if err != nil {
			r.t.Fatal(err)
		}
		_, name := cutLast(e.Path)
		names = append(names, name)
		want[name] = strings.TrimSpace(real.run("", "--literal-pathspecs", "log", "-1", "--format=%H", head.String(), "--", e.Path))
	}
	budget := git.MaxLastCommits
	found, err := r.cold().LastCommits(ctx, head, dir, append(names, "not there"), &budget)
	if err != nil {
		r.t.Fatal(err)
	}
	got := map[string]string{}
	for name, c := range found {
		got[name] = c.OID.String()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		r.t.Fatalf("LastCommits of %q (-git +ours):\n%s", dir, diff)
	}
}

// TestHistoryWithMerges compares random histories, with merges, equal dates and
// clocks that go backwards, with the real git.
func TestHistoryWithMerges(t *testing.T) {
	r := newRepo(t, storetest.SQLite(t))
	rnd := rand.New(rand.NewPCG(3, 4))
	var commits []hub.OID
	for i := range 60 {
		var parents []hub.OID
		for range min(i, 1+rnd.IntN(3)) {
			p := commits[max(0, len(commits)-1-rnd.IntN(6))]
			if !slices.Contains(parents, p) {
				parents = append(parents, p)
			}
		}
		files := map[string]string{"README.md": fmt.Sprint(rnd.IntN(3))}
		for _, name := range []string{"a", "b/c", "b/d", "e/f/g"} {
			if n := rnd.IntN(3); n > 0 {
				files[name] = fmt.Sprint(n)
			}
		}
		at := time.Unix(int64(1e9+i*10-rnd.IntN(40)), 0)
		commits = append(commits, r.commit(at, r.tree(files), fmt.Sprint(i), parents...))
	}
	for i, c := range commits {
		r.setRef(store.Ref{Name: fmt.Sprintf("refs/heads/b%d", i), Target: c})
	}
	real := r.export()
	for _, head := range commits[len(commits)-12:] {
		r.checkLog(real, head)
		r.checkLastCommits(real, head, "")
		r.checkLastCommits(real, head, "b")
		r.checkLastCommits(real, head, "e/f")
	}
}

func TestCommitIsAsGitShowsIt(t *testing.T) {
	r := newRepo(t, storetest.SQLite(t))
	head := r.commit(time.Unix(1700000000, 0).In(time.FixedZone("", 3600)), r.tree(nil), "Title\n\nBody\n\nmore")
	r.setRef(store.Ref{Name: "refs/heads/main", Target: head})
	c, err := r.reader().Commit(context.Background(), head)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%s|%s|%s|%s|%s|%s\n", c.Tree, c.Author, c.Email, c.Date.Format(time.RFC3339), c.Title, c.Message)
	want := r.export().run("", "log", "-1", "--format=%T|%an|%ae|%aI|%s|%b", "main")
	if got != strings.TrimRight(want, "\n")+"\n" {
		t.Errorf("got %q, git shows %q", got, want)
	}
}

func TestExportRefs(t *testing.T) {
	r := newRepo(t, storetest.SQLite(t))
	c1 := r.commit(time.Unix(1, 0), r.tree(map[string]string{"a": "1"}), "1")
	c2 := r.commit(time.Unix(2, 0), r.tree(map[string]string{"a": "2"}), "2", c1)
	tag := git.EncodeTag(git.TagInfo{Target: c1, Kind: git.KindCommit, Name: "v1", Tagger: git.Signature{Name: "A", Email: "a@x"}, Message: "one"})
	r.put(tag)
	r.setRef(store.Ref{Name: "refs/heads/main", Target: c2})
	r.setRef(store.Ref{Name: "refs/pr/1", Target: c1})
	r.setRef(store.Ref{Name: "refs/tags/v1", Target: c1, Tag: &tag.OID})
	r.setRef(store.Ref{Name: "refs/tags/light", Target: c2})
	got := r.export().run("", "show-ref", "--head", "--dereference")
	want := fmt.Sprintf("%s HEAD\n%s refs/heads/main\n%s refs/pr/1\n%s refs/tags/light\n%s refs/tags/v1\n%s refs/tags/v1^{}\n", c2, c2, c1, c2, tag.OID, c1)
	if got != want {
		t.Errorf("refs %s\nwant %s", got, want)
	}
}

func TestExportEmpty(t *testing.T) {
	newRepo(t, storetest.SQLite(t)).export()
}

func TestResolve(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		r := newRepo(t, db)
		tree := r.tree(map[string]string{"a": "1"})
		c1 := r.commit(time.Unix(1, 0), tree, "1")
		side := r.commit(time.Unix(2, 0), tree, "side", c1)
		c2 := r.commit(time.Unix(3, 0), tree, "2", c1)
		c3 := r.commit(time.Unix(4, 0), tree, "merge", c2, side)
		tag := git.EncodeTag(git.TagInfo{Target: c1, Kind: git.KindCommit, Name: "v1", Message: "one"})
		ofTag := git.EncodeTag(git.TagInfo{Target: tag.OID, Kind: git.KindTag, Name: "v2", Message: "two"})
		ofTree := git.EncodeTag(git.TagInfo{Target: tree, Kind: git.KindTree, Name: "v3", Message: "three"})
		r.put(tag, ofTag, ofTree)
		for _, ref := range []store.Ref{
			{Name: "refs/heads/main", Target: c3},
			{Name: "refs/heads/both", Target: c2},
			{Name: "refs/tags/both", Target: c1},
			{Name: "refs/tags/v1", Target: c1, Tag: &tag.OID},
			{Name: "refs/heads/feat/x", Target: side},
			{Name: "refs/heads/" + c1.String()[:7], Target: c2},
			{Name: "refs/pr/1", Target: side},
			{Name: "refs/convert/parquet", Target: c1},
		} {
			r.setRef(ref)
		}
		ctx := context.Background()
		for _, tt := range []struct {
			rev  string
			want hub.OID // zero: not found
			ref  string
		}{
			{"", c3, "refs/heads/main"},
			{"HEAD", c3, "refs/heads/main"},
			{"main", c3, "refs/heads/main"},
			{"both", c2, "refs/heads/both"},
			{"refs/tags/both", c1, "refs/tags/both"},
			{"v1", c1, "refs/tags/v1"},
			{"feat/x", side, "refs/heads/feat/x"},
			{"refs/pr/1", side, "refs/pr/1"},
			{"pr/1", side, "refs/pr/1"},
			{"refs/convert/parquet", c1, "refs/convert/parquet"},
			{c2.String(), c2, ""},
			{strings.ToUpper(c2.String()), c2, ""},
			{c2.String()[:8], c2, ""},
			{c2.String()[:39], c2, ""},
			{c1.String()[:7], c2, "refs/heads/" + c1.String()[:7]}, // a branch that looks like an id
			{tag.OID.String(), c1, ""},
			{ofTag.OID.String(), c1, ""},
			{ofTree.OID.String(), hub.OID{}, ""},
			{"main^", c2, ""},
			{"main^2", side, ""},
			{"main^0", c3, ""},
			{"main~2", c1, ""},
			{"main~", c2, ""},
			{"main^2^", c1, ""},
			{"^", c2, ""},
			{c3.String() + "^", c2, ""},
			{"main^3", hub.OID{}, ""},
			{"main~3", hub.OID{}, ""},
			{"main~99999999999999999999", hub.OID{}, ""},
			{"main~100000", hub.OID{}, ""},
			{"main^x", hub.OID{}, ""},
			{"main^{tree}", hub.OID{}, ""},
			{"nope", hub.OID{}, ""},
			{"refs/heads/nope", hub.OID{}, ""},
			{"refs/heads/", hub.OID{}, ""},
			{tree.String(), hub.OID{}, ""},
			{strings.Repeat("0", 40), hub.OID{}, ""},
			{"abc", hub.OID{}, ""},
			{"a\x00b", hub.OID{}, ""},
			{"a\xffb", hub.OID{}, ""},
		} {
			got, ref, err := r.reader().Resolve(ctx, hub.Revision(tt.rev), "main")
			if tt.want.IsZero() {
				if hub.CodeOf(err) != hub.CodeRevisionNotFound || !strings.HasPrefix(err.Error(), "Invalid rev id: "+tt.rev) {
					t.Errorf("Resolve(%q) = %s, %v, want RevisionNotFound", tt.rev, got, err)
				}
				continue
			}
			if err != nil || got != tt.want || ref != tt.ref {
				t.Errorf("Resolve(%q) = %s %q %v, want %s %q", tt.rev, got, ref, err, tt.want, tt.ref)
			}
		}
		if _, _, err := r.reader().Resolve(ctx, "", "gone"); hub.CodeOf(err) != hub.CodeRevisionNotFound {
			t.Errorf("no default branch: %v", err)
		}
	})
}

func TestResolveAmbiguous(t *testing.T) {
	r := newRepo(t, storetest.SQLite(t))
	tree := r.tree(nil)
	seen := map[string]bool{}
	for i := 0; ; i++ { // two commits that share four digits: about 300 tries
		digits := r.commit(time.Unix(int64(i), 0), tree, "x").String()[:4]
		if !seen[digits] {
			seen[digits] = true
			continue
		}
		if _, _, err := r.reader().Resolve(context.Background(), hub.Revision(digits), "main"); hub.CodeOf(err) != hub.CodeRevisionNotFound {
			t.Errorf("an ambiguous id resolves: %v", err)
		}
		return
	}
}

func TestReaderErrors(t *testing.T) {
	r := newRepo(t, storetest.SQLite(t))
	ctx := context.Background()
	root := r.tree(map[string]string{"a": "1", "d/e": "2"})
	for _, tt := range []struct {
		path string
		want hub.Code // "": found
	}{
		{"", ""}, {"a", ""}, {"d", ""}, {"d/e", ""},
		{"x", hub.CodeEntryNotFound}, {"a/b", hub.CodeEntryNotFound}, {"d/e/f", hub.CodeEntryNotFound},
		{"d/", hub.CodeEntryNotFound}, {"/a", hub.CodeEntryNotFound}, {"d//e", hub.CodeEntryNotFound},
	} {
		e, err := r.reader().Lookup(ctx, root, tt.path)
		if err == nil && tt.want != "" || err != nil && hub.CodeOf(err) != tt.want {
			t.Errorf("Lookup(%q) = %+v, %v, want %q", tt.path, e, err, tt.want)
		}
	}
	for _, tt := range []struct {
		dir, after string
		want       hub.Code
	}{
		{"x", "", hub.CodeEntryNotFound}, {"a", "", hub.CodeEntryNotFound}, {"d", "a", hub.CodeInvalid},
	} {
		for _, err := range r.reader().List(ctx, root, tt.dir, true, tt.after) {
			if hub.CodeOf(err) != tt.want {
				t.Errorf("List(%q, after %q): %v, want %s", tt.dir, tt.after, err, tt.want)
			}
		}
	}
	if got := collect(t, r.reader().List(ctx, hub.OID{}, "", true, "")); len(got) != 0 {
		t.Errorf("the empty tree lists %v", got)
	}
	// A cursor whose entry is gone goes on where the entry would be.
	if got := collect(t, r.reader().List(ctx, root, "", true, "b/c")); len(got) != 2 || got[0].Path != "d" {
		t.Errorf("after b/c: %v", got)
	}
}
