package faults

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/hubtest"
	"github.com/pantryhub/pantry/internal/bucket/buckettest"
	"github.com/pantryhub/pantry/internal/store/storetest"
	"github.com/pantryhub/pantry/internal/wiretest"
)

// TestReplicas: two servers over one PostgreSQL and one S3 store are one hub.
// What one acknowledged the other shows at once, either takes what the other
// signed, and writers on both lose nothing.
func TestReplicas(t *testing.T) {
	opts := hubtest.Options{Database: storetest.PostgresURL(t), Bucket: buckettest.S3URL(t)}
	first, second := hubtest.Start(t, opts), hubtest.Start(t, opts)
	token := first.User("ada", hub.TokenWrite)
	a, b := wiretest.New(t, first.URL, token), wiretest.New(t, second.URL, token)
	ctx, repo := t.Context(), "ada/shared"
	if err := mustReply(a.Create(ctx, repo)); err != nil {
		t.Fatal(err)
	}

	large := bytes.Repeat([]byte("weights "), 40_000)
	actions, err := a.LFSActions(ctx, repo, large, "basic")
	if err != nil {
		t.Fatal(err)
	}
	signed := strings.Replace(actions["upload"].Href, first.URL, second.URL, 1)
	if err := mustReply(b.Do(ctx, "PUT", signed, bytes.NewReader(large))); err != nil {
		t.Fatalf("the second server refuses a URL of the first: %v", err)
	}
	if err := mustReply(a.Commit(ctx, repo, wiretest.Commit{Summary: "large", Large: map[string][]byte{"w.bin": large}})); err != nil {
		t.Fatal(err)
	}
	for round := range 10 { // each has every chance to remember too much
		for writer, reader := a, b; ; writer, reader = b, a {
			text := fmt.Appendf(nil, "%d by %s", round, writer.URL)
			if err := mustReply(writer.Commit(ctx, repo, wiretest.Commit{Summary: "turn", Files: map[string][]byte{"turn.txt": text}})); err != nil {
				t.Fatal(err)
			}
			x := &target{Client: reader, repo: repo}
			if err := x.has(ctx, "turn.txt", text); err != nil {
				t.Fatalf("round %d: what the other server acknowledged: %v", round, err)
			}
			if err := x.has(ctx, "w.bin", large); err != nil {
				t.Fatal(err)
			}
			if writer == b {
				break
			}
		}
	}

	const writers = 40
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			c := a
			if i%2 == 1 {
				c = b
			}
			k := wiretest.Commit{Summary: "race", Files: map[string][]byte{fmt.Sprintf("r/%d.txt", i): fmt.Append(nil, i)}}
			if err := mustReply(c.Commit(ctx, repo, k)); err != nil {
				t.Errorf("writer %d: %v", i, err)
			}
		})
	}
	all.Wait()
	for i := range writers {
		x := &target{Client: []*wiretest.Client{a, b}[i/2%2], repo: repo}
		if err := x.has(ctx, fmt.Sprintf("r/%d.txt", i), fmt.Append(nil, i)); err != nil {
			t.Error(err)
		}
	}
}
