package api

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pantryhub/pantry/hub"
)

func TestParseRoute(t *testing.T) {
	tests := []struct {
		path string
		want Route
		ok   bool
	}{
		{"/api/models/a/b", Route{Surface: API, Type: hub.Model, Namespace: "a", Name: "b"}, true},
		{"/api/models/a/b/", Route{Surface: API, Type: hub.Model, Namespace: "a", Name: "b"}, true},
		{"/api/models/gpt2", Route{Surface: API, Type: hub.Model, Name: "gpt2"}, true},
		{"/api/models/gpt2/tree/main", Route{Surface: API, Type: hub.Model, Name: "gpt2", Verb: "tree", Rest: []string{"main"}}, true},
		{"/api/datasets/a/b/tree/refs%2Fpr%2F1/x%2Fy", Route{Surface: API, Type: hub.Dataset, Namespace: "a", Name: "b", Verb: "tree", Rest: []string{"refs/pr/1", "x/y"}}, true},
		{"/a/b/resolve/main/x//y%3F%25.bin", Route{Surface: Web, Type: hub.Model, Namespace: "a", Name: "b", Verb: "resolve", Rest: []string{"main", "x", "", "y?%.bin"}}, true},
		{"/gpt2/resolve/main/config.json", Route{Surface: Web, Type: hub.Model, Name: "gpt2", Verb: "resolve", Rest: []string{"main", "config.json"}}, true},
		{"/datasets/a/b/raw/refs/pr/1/f", Route{Surface: Web, Type: hub.Dataset, Namespace: "a", Name: "b", Verb: "raw", Rest: []string{"refs", "pr", "1", "f"}}, true},
		{"/spaces/a/b.git/info/lfs/objects/batch", Route{Surface: Git, Type: hub.Space, Namespace: "a", Name: "b", Verb: "info", Rest: []string{"lfs", "objects", "batch"}}, true},
		{"/a/b.git", Route{Surface: Git, Type: hub.Model, Namespace: "a", Name: "b"}, true},
		{"/api/whoami-v2", Route{}, false},
		{"/api/models", Route{}, false},
		{"/", Route{}, false},
		{"/a/b%zz", Route{}, false},
		{"/a/b//main", Route{}, false},
		{"/a/b/resolve/main/x%00y", Route{}, false},
	}
	for _, tt := range tests {
		got, ok := ParseRoute(tt.path)
		if ok != tt.ok {
			t.Errorf("ParseRoute(%q) ok = %v, want %v", tt.path, ok, tt.ok)
			continue
		}
		if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreUnexported(Route{})); diff != "" {
			t.Errorf("ParseRoute(%q) (-want +got):\n%s", tt.path, diff)
		}
	}
}

func TestRouteRevision(t *testing.T) {
	for path, want := range map[string][2]string{
		"/a/b/resolve/main/x/y":            {"main", "x/y"},
		"/a/b/resolve/refs/pr/1/x":         {"refs/pr/1", "x"},
		"/a/b/resolve/refs%2Fpr%2F1/x%2Fy": {"refs/pr/1", "x/y"},
		"/a/b/tree/main":                   {"main", ""},
		"/a/b/tree":                        {"", ""},
	} {
		r, ok := ParseRoute(path)
		if !ok {
			t.Fatalf("ParseRoute(%q) failed", path)
		}
		rev, p := r.Revision()
		if string(rev) != want[0] || p != want[1] {
			t.Errorf("Revision of %q = %q, %q, want %q", path, rev, p, want)
		}
	}
}

func TestRouteMoved(t *testing.T) {
	to := hub.RepoID{Namespace: "new", Name: "name"}
	for path, want := range map[string]string{
		"/api/models/a/b/tree/refs%2Fpr%2F1/x%2Fy": "/api/models/new/name/tree/refs%2Fpr%2F1/x%2Fy?q=1",
		"/datasets/a/b/resolve/main/x%3Fy":         "/datasets/new/name/resolve/main/x%3Fy?q=1",
		"/a/b.git/info/refs":                       "/new/name.git/info/refs?q=1",
		"/a/b":                                     "/new/name?q=1",
	} {
		r, ok := ParseRoute(path)
		if !ok {
			t.Fatalf("ParseRoute(%q) failed", path)
		}
		if got := r.Moved(to, "q=1"); got != want {
			t.Errorf("Moved(%q) = %q, want %q", path, got, want)
		}
	}
}

func FuzzParseRoute(f *testing.F) {
	f.Add("/api/models/a/b/tree/main/x")
	f.Add("/a/b.git/info/refs")
	f.Fuzz(func(t *testing.T, path string) {
		r, ok := ParseRoute(path)
		if !ok {
			return
		}
		r.Revision()
		if moved, ok := ParseRoute(r.Moved(hub.RepoID{Namespace: "n", Name: "m"}, "")); ok && moved.Verb != r.Verb {
			t.Errorf("%q: the verb became %q when moved, was %q", path, moved.Verb, r.Verb)
		}
	})
}
