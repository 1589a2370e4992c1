package hubapi_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/internal/wiretest"
)

// TestKnownFiles asks for files again and again, by those who may read them and
// those who may not: what the hub remembers of a URL changes no answer, and does
// not outlive what was true.
func TestKnownFiles(t *testing.T) {
	f := newFixture(t)
	status := func(target string, want map[string]int) {
		t.Helper()
		for range 2 {
			for _, who := range []string{ada, nobody, eve, ada, adaRead, forged, nobody} {
				expected, ok := want[who]
				if !ok {
					continue
				}
				for _, method := range []string{"GET ", "HEAD "} {
					if got := f.ask(who, method+target, nil); got.Status != expected {
						t.Errorf("%s%s by %q: status %d, want %d", method, target, who, got.Status, expected)
					}
				}
			}
		}
	}
	const file = "/ada/model/resolve/main/dir/a.txt"
	all := map[string]int{ada: 200, adaRead: 200, eve: 200, nobody: 200, forged: 401}
	few := map[string]int{ada: 200, adaRead: 200, eve: 404, nobody: 404, forged: 401}
	status("/ada/secret/resolve/main/a.txt", few)
	status("/ada/gated/resolve/main/a.txt", map[string]int{ada: 200, eve: 403, nobody: 401})
	status("/ada/before/resolve/main/a.txt", map[string]int{ada: 307, nobody: 307})
	status("/ada/model/resolve/main/nope", map[string]int{ada: 404, nobody: 404})
	status(file, all)
	if got := f.ask(nobody, "POST "+file, []byte("x")); got.Status != http.StatusNotFound {
		t.Errorf("POST of a known file: status %d, want 404", got.Status)
	}
	for private, want := range map[bool]map[string]int{true: few, false: all} {
		f.must(f.who[ada].JSON(t.Context(), "PUT", "/api/models/ada/model/settings", map[string]any{"private": private}))
		status(file, want)
	}
	f.must(f.who[ada].JSON(t.Context(), "PUT", "/api/models/ada/model/settings", map[string]any{"private": false}))

	reply := f.must(f.who[ada].Commit(t.Context(), "ada/model", wiretest.Commit{
		Summary: "change", Files: map[string][]byte{"dir/a.txt": []byte("another")},
	}))
	var done api.CommitReply
	if err := reply.Decode(&done); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got := f.ask(nobody, "GET "+file, nil)
		if string(got.Body) != "another" || got.Header.Get("X-Repo-Commit") != done.CommitOID {
			t.Errorf("after a commit: %q of %s, want that of %s", got.Body, got.Header.Get("X-Repo-Commit"), done.CommitOID)
		}
		old := f.ask(nobody, "GET /ada/model/resolve/"+f.head+"/dir/a.txt", nil)
		if !bytes.Equal(old.Body, f.tree["dir/a.txt"]) || old.Header.Get("X-Repo-Commit") != f.head {
			t.Errorf("the commit before: %q of %s", old.Body, old.Header.Get("X-Repo-Commit"))
		}
	}

	const large = "/ada/model/resolve/main/weights.bin"
	status(large, all)
	sha := f.entry("weights.bin").LFS.OID
	f.must(f.who[ada].JSON(t.Context(), "DELETE", "/api/models/ada/model/lfs-files/"+sha, nil))
	status(large, map[string]int{ada: 404, nobody: 404})
	f.must(f.who[ada].JSON(t.Context(), "POST", "/api/repos/move", api.MoveRepo{FromRepo: "ada/model", ToRepo: "ada/elsewhere"}))
	status(file, map[string]int{ada: 307, eve: 307, nobody: 307})
}

// TestKnownAnswers: the second answer is the first one, field by field, whatever
// is asked for.
func TestKnownAnswers(t *testing.T) {
	f := newFixture(t)
	for _, target := range []string{
		"/ada/model/resolve/main/dir/a.txt", "/ada/model/resolve/main/weights.bin", "/ada/model/resolve/main/empty.txt",
		"/ada/model/raw/main/weights.bin", "/ada/model/resolve/main/weights.bin?download=true",
		"/ada/model/resolve/main/weights.bin?noContentDisposition=1",
	} {
		for i, headers := range [][]string{
			nil, {"Range", "bytes=3-5"}, {"Range", "bytes=99999999-"}, {"If-None-Match", "*"}, {"Accept", api.XetFileInfo},
		} {
			for _, method := range []string{"GET", "HEAD"} {
				// Something else in the URL makes it one that was not asked for.
				mark := "?"
				if strings.Contains(target, "?") {
					mark = "&"
				}
				request := fmt.Sprintf("%s %s%sx=%s%d", method, target, mark, method, i)
				var answers []string
				for range 2 {
					got := f.ask(nobody, request, nil, headers...)
					got.Header.Del("X-Request-Id")
					got.Header.Del("Date")
					answers = append(answers, fmt.Sprintf("%d %v %x", got.Status, got.Header, got.Body))
				}
				if diff := cmp.Diff(answers[0], answers[1]); diff != "" {
					t.Errorf("%s %v (-first +second):\n%s", request, headers, diff)
				}
			}
		}
	}
}
