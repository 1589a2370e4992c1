package faults

import (
	"bytes"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/pantryhub/pantry/internal/wiretest"
)

// TestInterruptedDrains: Ctrl-C during an upload lets it finish, takes no new
// work, and ends well.
func TestInterruptedDrains(t *testing.T) {
	data := t.TempDir()
	p := newProcess(t, "--data", data)
	p.start()
	c := wiretest.New(t, p.url(), p.user("ada"))
	x := &target{Client: c, repo: "ada/slow"}
	if err := x.wantsUpload(t.Context(), largeFile, "basic"); err != nil {
		t.Fatal(err)
	}
	body, feed := io.Pipe()
	uploaded := make(chan error, 1)
	go func() { uploaded <- mustReply(c.Do(t.Context(), "PUT", x.href, body)) }()
	content := x.data(largeFile)
	if _, err := feed.Write(content[:1000]); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- p.interrupt() }()
	waitFor(t, "the server refuses connections", func() bool {
		_, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(p.url() + "/healthz")
		return err != nil
	})
	select {
	case err := <-ended:
		t.Fatalf("the server ended with %v during an upload", err)
	default:
	}
	if _, err := io.Copy(feed, bytes.NewReader(content[1000:])); err != nil {
		t.Fatal(err)
	}
	feed.Close()
	if err := <-uploaded; err != nil {
		t.Errorf("the upload: %v", err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the server ended with %v", err)
	}
	p.start()
	if err := x.holdsLarge(t.Context()); err != nil {
		t.Errorf("after a new start: %v", err)
	}
	if err := p.interrupt(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after 10 s not yet: %s", what)
		}
	}
}
