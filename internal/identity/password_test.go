package identity

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/pantryhub/pantry/hub"
)

func TestHashRoundTrip(t *testing.T) {
	h := newHasher(cheap)
	ctx := context.Background()
	text, err := h.hash(ctx, password)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parseHash(text)
	if err != nil || parsed.String() != text {
		t.Fatalf("parseHash(%q) = %v, %v", text, parsed, err)
	}
	again, err := h.hash(ctx, password)
	if err != nil || again == text {
		t.Errorf("two hashes of one password are equal: %q, %v", again, err)
	}
	for _, tt := range []struct {
		name, password, hash string
		ok, stale            bool
	}{
		{"right", password, text, true, false},
		{"wrong", password + "x", text, false, false},
		{"no password", "", "", false, false},
		{"account without a password", password, "", false, false},
	} {
		ok, stale, err := h.verify(ctx, tt.password, tt.hash)
		if ok != tt.ok || stale != tt.stale || err != nil {
			t.Errorf("%s: verify = %v, %v, %v, want %v, %v", tt.name, ok, stale, err, tt.ok, tt.stale)
		}
	}
	if ok, stale, err := newHasher(HashParams{Memory: 72, Time: 1, Threads: 1}).verify(ctx, password, text); !ok || !stale || err != nil {
		t.Errorf("verify after an upgrade = %v, %v, %v, want true, true", ok, stale, err)
	}
}

func TestParseHashRefuses(t *testing.T) {
	b := func(n int) string { return base64.RawStdEncoding.EncodeToString(make([]byte, n)) }
	good := "$argon2id$v=19$m=64,t=1,p=1$" + b(16) + "$" + b(32)
	if _, err := parseHash(good); err != nil {
		t.Fatalf("parseHash(%q): %v", good, err)
	}
	for _, bad := range []string{
		"", "plain", good + "$", " " + good, good + "\n",
		strings.Replace(good, "argon2id", "argon2i", 1),
		strings.Replace(good, "v=19", "v=16", 1),
		strings.Replace(good, "m=64", "m=4294967295", 1),
		strings.Replace(good, "m=64", "m=064", 1),
		strings.Replace(good, "m=64", "m=+64", 1),
		strings.Replace(good, "m=64", "m=7", 1),
		strings.Replace(good, "t=1", "t=0", 1),
		strings.Replace(good, "t=1", "t=17", 1),
		strings.Replace(good, "p=1", "p=0", 1),
		strings.Replace(good, "p=1", "p=256", 1),
		strings.Replace(good, "m=64,t=1,p=1", "t=1,m=64,p=1", 1),
		"$argon2id$v=19$m=64,t=1,p=1$" + b(15) + "$" + b(32),
		"$argon2id$v=19$m=64,t=1,p=1$" + b(16) + "$" + b(65),
		"$argon2id$v=19$m=64,t=1,p=1$" + b(16) + "=$" + b(32),
		good + strings.Repeat("A", 1000),
	} {
		if h, err := parseHash(bad); err == nil {
			t.Errorf("parseHash(%q) = %v, want an error", bad, h)
		}
	}
}

// Hashes run a few at a time, and one whose turn does not come gives up.
func TestHashSlots(t *testing.T) {
	h := newHasher(cheap)
	for range cap(h.slots) {
		h.slots <- struct{}{}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := h.hash(ctx, password); err != context.DeadlineExceeded {
		t.Fatalf("hash while all slots are taken = %v, want %v", err, context.DeadlineExceeded)
	}
	<-h.slots
	if _, err := h.hash(context.Background(), password); err != nil {
		t.Fatalf("hash with a free slot: %v", err)
	}
	if len(h.slots) != cap(h.slots)-1 {
		t.Errorf("%d slots are taken after the hash, want %d", len(h.slots), cap(h.slots)-1)
	}
}

func FuzzParseHash(f *testing.F) {
	f.Add("")
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=4294967295,t=4294967295,p=255$$")
	f.Add("$$$$$")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parseHash(s)
		if err != nil {
			return
		}
		if err := h.params.check(); err != nil {
			t.Errorf("parseHash(%q) is out of bounds: %v", s, err)
		}
		if h.String() != s {
			t.Errorf("parseHash(%q) prints as %q", s, h)
		}
	})
}

func TestTokenInHeader(t *testing.T) {
	basic := func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, tt := range []struct{ header, want string }{
		{"Bearer hf_abc", "hf_abc"},
		{"bearer hf_abc", "hf_abc"},
		{"Bearer  hf_abc ", "hf_abc"},
		{"Bearer other", "other"}, // refused by Authenticate
		{basic("user:hf_abc"), "hf_abc"},
		{basic(":hf_abc"), "hf_abc"},
		{basic("hf_abc:"), "hf_abc"},
		{basic("hf_abc:x-oauth-basic"), "hf_abc"},
		{basic("hf_user:hf_pass"), "hf_pass"},
		{strings.Replace(basic("user:hf_abc"), "Basic", "BASIC", 1), "hf_abc"},
		{basic("user:password"), ""},
		{basic("hf_abc"), ""},
		{"", ""}, {"Bearer", ""}, {"Bearer ", ""}, {"hf_abc", ""}, {"Digest hf_abc", ""}, {"Basic !!!", ""},
		{"Bearer " + strings.Repeat("x", 5000), ""},
	} {
		got, err := TokenInHeader(tt.header)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("TokenInHeader(%.60q) = %q, %v, want %q", tt.header, got, err, tt.want)
		}
		if err != nil {
			wantCode(t, "TokenInHeader", err, hub.CodeUnauthenticated)
		}
	}
}

func FuzzTokenInHeader(f *testing.F) {
	for _, s := range []string{"", "Bearer hf_x", "Basic aGZfYTpoZl9i", "Basic Og==", "basic \xff", "Bearer \x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		token, err := TokenInHeader(header)
		if (err == nil) != (token != "") {
			t.Errorf("TokenInHeader(%q) = %q, %v: want a token or an error", header, token, err)
		}
		if err != nil && hub.CodeOf(err) != hub.CodeUnauthenticated {
			t.Errorf("TokenInHeader(%q) = %v, want %s", header, err, hub.CodeUnauthenticated)
		}
	})
}
