package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/ratelimit"
	"github.com/pantryhub/pantry/internal/store"
	"github.com/pantryhub/pantry/internal/store/storetest"
)

// cheap makes tests quick: real parameters take 25 ms a hash.
var cheap = HashParams{Memory: 64, Time: 1, Threads: 1}

const password = "correct horse"

// clock is a time that tests move by hand.
type clock struct {
	mu sync.Mutex
	t  time.Time // guarded by mu
}

func newClock() *clock { return &clock{t: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func newService(t testing.TB, db *store.DB, c *clock, policy Policy) *Service {
	t.Helper()
	if policy.Hash == (HashParams{}) {
		policy.Hash = cheap
	}
	s, err := New(Config{DB: db, Now: c.now, Policy: policy})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// run runs a test on both engines with a service and its clock.
func run(t *testing.T, test func(t *testing.T, s *Service, c *clock)) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		c := newClock()
		test(t, newService(t, db, c, Policy{OpenSignUp: true}), c)
	})
}

func mustCreate(t testing.TB, s *Service, name string) hub.Account {
	t.Helper()
	a, err := s.CreateUser(context.Background(), NewAccount{Name: name, Email: name + "@example.org", Password: password})
	if err != nil {
		t.Fatalf("CreateUser(%s): %v", name, err)
	}
	return a
}

func mustToken(t testing.TB, s *Service, a hub.Account, role hub.TokenRole) (string, Token) {
	t.Helper()
	text, tok, err := s.CreateToken(context.Background(), a.ID, NewToken{Name: "laptop", Role: role})
	if err != nil {
		t.Fatalf("CreateToken: %v", err)
	}
	return text, tok
}

func wantCode(t testing.TB, what string, err error, want hub.Code) {
	t.Helper()
	if err == nil {
		t.Errorf("%s succeeded, want %s", what, want)
		return
	}
	if got := hub.CodeOf(err); got != want {
		t.Errorf("%s = %v (%s), want %s", what, err, got, want)
	}
}

func TestCreateUser(t *testing.T) {
	run(t, func(t *testing.T, s *Service, c *clock) {
		ctx := context.Background()
		ada := mustCreate(t, s, "Ada")
		want := hub.Account{
			ID: ada.ID, Name: "Ada", FullName: "Ada", Email: "Ada@example.org", Kind: hub.UserAccount, CreatedAt: c.now(),
		}
		got, err := s.Account(ctx, "aDA")
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("Account(aDA) (-want +got):\n%s", d)
		}
		if got, err := s.AccountByID(ctx, ada.ID); err != nil || got != want {
			t.Errorf("AccountByID = %+v, %v, want %+v", got, err, want)
		}
		for _, tt := range []struct {
			name    string
			n       NewAccount
			code    hub.Code
			message string
		}{
			{"taken name", NewAccount{Name: "ADA", Password: password}, hub.CodeConflict, `The name "ADA" is taken.`},
			{"taken email", NewAccount{Name: "bob", Email: "ada@EXAMPLE.org"}, hub.CodeConflict, "An account with this email address exists."},
			{"bad name", NewAccount{Name: "a/b"}, hub.CodeInvalid, ""},
			{"reserved name", NewAccount{Name: "datasets"}, hub.CodeInvalid, ""},
			{"bad email", NewAccount{Name: "bob", Email: "Bob <bob@example.org>"}, hub.CodeInvalid, ""},
			{"NUL in email", NewAccount{Name: "bob", Email: "b\x00b@example.org"}, hub.CodeInvalid, ""},
			{"short password", NewAccount{Name: "bob", Password: "1234567"}, hub.CodeInvalid, ""},
			{"long password", NewAccount{Name: "bob", Password: strings.Repeat("x", 513)}, hub.CodeInvalid, ""},
			{"name as password", NewAccount{Name: "bob-the-9th", Password: "BOB-the-9th"}, hub.CodeInvalid, ""},
			{"NUL in full name", NewAccount{Name: "bob", FullName: "B\x00b"}, hub.CodeInvalid, ""},
			{"broken UTF-8", NewAccount{Name: "bob", FullName: "B\xffb"}, hub.CodeInvalid, ""},
		} {
			_, err := s.CreateUser(ctx, tt.n)
			wantCode(t, tt.name, err, tt.code)
			if tt.message != "" && hub.MessageOf(err) != tt.message {
				t.Errorf("%s: message %q, want %q", tt.name, hub.MessageOf(err), tt.message)
			}
		}
		for _, name := range []string{"no-mail-1", "no-mail-2"} { // accounts without an email do not collide
			if _, err := s.CreateUser(ctx, NewAccount{Name: name}); err != nil {
				t.Error(err)
			}
		}
		for _, name := range []string{"nobody", "", "a\x00b", "\xff\xff", "datasets"} {
			_, err := s.Account(ctx, name)
			wantCode(t, "Account("+name+")", err, hub.CodeNotFound)
		}
	})
}

func TestSignUp(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		c := newClock()
		closed := newService(t, db, c, Policy{})
		open := newService(t, db, c, Policy{OpenSignUp: true})
		n := NewAccount{Name: "eve", Password: password, Admin: true}

		_, err := open.SignUp(ctx, n, "192.0.2.1")
		wantCode(t, "SignUp before there is an administrator", err, hub.CodeForbidden)
		mustCreate(t, closed, "ada")
		_, err = closed.SignUp(ctx, n, "192.0.2.1")
		wantCode(t, "SignUp while closed", err, hub.CodeForbidden)
		_, err = open.SignUp(ctx, NewAccount{Name: "eve"}, "192.0.2.1")
		wantCode(t, "SignUp without a password", err, hub.CodeInvalid)

		eve, err := open.SignUp(ctx, n, "192.0.2.1")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := open.Account(ctx, "eve"); err != nil || got.Admin || eve.Admin {
			t.Errorf("who signs up is an administrator: %+v, %v", got, err)
		}
		for range 50 {
			_, err = open.SignUp(ctx, n, "192.0.2.1")
		}
		wantCode(t, "the 50th SignUp from an address", err, hub.CodeRateLimited)
		_, err = open.SignUp(ctx, n, "192.0.2.2")
		wantCode(t, "SignUp from another address", err, hub.CodeConflict)
	})
}

func TestSignIn(t *testing.T) {
	run(t, func(t *testing.T, s *Service, c *clock) {
		ctx := context.Background()
		ada := mustCreate(t, s, "Ada")
		if _, err := s.CreateUser(ctx, NewAccount{Name: "tokens-only"}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.CreateOrg(ctx, "acme", "", ada.ID); err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct{ name, password string }{
			{"ada", password}, {"ADA", password}, {" ada ", password}, {"ada@example.org", password}, {"ADA@Example.ORG", password},
		} {
			if got, err := s.SignIn(ctx, tt.name, tt.password, "192.0.2.1"); err != nil || got != ada {
				t.Errorf("SignIn(%q) = %+v, %v, want %+v", tt.name, got, err, ada)
			}
		}
		for _, tt := range []struct{ name, password string }{
			{"ada", "wrong horse"}, {"ada", ""}, {"nobody", password}, {"nobody@example.org", password}, {"", ""},
			{"tokens-only", ""}, {"acme", ""}, {"a\x00b", password}, {"a\x00@example.org", password}, {"\xff@x", "y"},
			{"ada", strings.Repeat("x", 10_000)}, {strings.Repeat("n", 10_000), password}, {"@", ""},
		} {
			c.advance(2 * time.Hour) // out of the way of the limits
			_, err := s.SignIn(ctx, tt.name, tt.password, "192.0.2.1")
			if !errors.Is(err, hub.ErrUnauthenticated) || hub.MessageOf(err) != "Invalid username or password." {
				t.Errorf("SignIn(%.20q, %.20q) = %v, want %v", tt.name, tt.password, err, hub.ErrUnauthenticated)
			}
		}
	})
}

func TestSignInSlowsGuessing(t *testing.T) {
	db := storetest.SQLite(t)
	c := newClock()
	s := newService(t, db, c, Policy{})
	ctx := context.Background()
	mustCreate(t, s, "ada")
	mustCreate(t, s, "bob")

	guess := func(name, address string) error {
		_, err := s.SignIn(ctx, name, "wrong horse", address)
		return err
	}
	for range 5 {
		wantCode(t, "a free guess", guess("ada", "192.0.2.1"), hub.CodeUnauthenticated)
	}
	err := guess("ada", "192.0.2.1")
	wantCode(t, "the sixth guess", err, hub.CodeRateLimited)
	var limited *ratelimit.Exceeded
	if !errors.As(err, &limited) || limited.Wait != time.Second {
		t.Errorf("the sixth guess: %v, want a wait of 1s", err)
	}
	_, err = s.SignIn(ctx, "ADA", password, "192.0.2.1")
	wantCode(t, "the right password during the wait", err, hub.CodeRateLimited)
	if _, err := s.SignIn(ctx, "ada", password, "192.0.2.2"); err != nil {
		t.Errorf("the owner from another address: %v", err)
	}
	if _, err := s.SignIn(ctx, "bob", password, "192.0.2.1"); err != nil {
		t.Errorf("another account from the address: %v", err)
	}
	c.advance(time.Second)
	wantCode(t, "a guess after the wait", guess("ada", "192.0.2.1"), hub.CodeUnauthenticated)
	c.advance(time.Second)
	wantCode(t, "the next wait is longer", guess("ada", "192.0.2.1"), hub.CodeRateLimited)

	// One address that tries many names.
	for i := range 40 {
		err = guess(fmt.Sprintf("victim%d", i), "192.0.2.9")
	}
	wantCode(t, "the 40th name from one address", err, hub.CodeRateLimited)
	// Many addresses that try one name.
	for i := range 60 {
		err = guess("bob", fmt.Sprintf("198.51.100.%d", i))
	}
	wantCode(t, "the 60th address at one name", err, hub.CodeRateLimited)
	if !errors.As(err, &limited) || limited.Wait > 20*time.Second {
		t.Errorf("the owner is locked out for %v, want at most 20s", limited)
	}
}

func TestAddressKey(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"192.0.2.1", "192.0.2.1"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
		{"fe80::1%eth0", "fe80::/64"},
		{"unix socket", "unix socket"},
	} {
		if got := addressKey(tt.in); got != tt.want {
			t.Errorf("addressKey(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestRehashOnSignIn(t *testing.T) {
	run(t, func(t *testing.T, s *Service, c *clock) {
		ctx := context.Background()
		ada := mustCreate(t, s, "ada")
		before, err := s.db.Read().LoginByID(ctx, ada.ID)
		if err != nil {
			t.Fatal(err)
		}
		dearer := newService(t, s.db, c, Policy{Hash: HashParams{Memory: 128, Time: 2, Threads: 1}})
		if _, err := dearer.SignIn(ctx, "ada", "wrong horse", "192.0.2.1"); err == nil {
			t.Fatal("signed in with a wrong password")
		}
		if same, _ := s.db.Read().LoginByID(ctx, ada.ID); same.PasswordHash != before.PasswordHash {
			t.Fatal("a wrong password replaced the hash")
		}
		for range 2 { // with the old hash, and with the new one
			if _, err := dearer.SignIn(ctx, "ada", password, "192.0.2.1"); err != nil {
				t.Fatal(err)
			}
		}
		after, err := s.db.Read().LoginByID(ctx, ada.ID)
		if err != nil || !strings.HasPrefix(after.PasswordHash, "$argon2id$v=19$m=128,t=2,p=1$") {
			t.Errorf("hash after sign-in: %q, %v, want new parameters", after.PasswordHash, err)
		}
	})
}

func TestChangePassword(t *testing.T) {
	run(t, func(t *testing.T, s *Service, c *clock) {
		ctx := context.Background()
		ada := mustCreate(t, s, "ada")
		cookie, err := s.StartSession(ctx, ada.ID, "")
		if err != nil {
			t.Fatal(err)
		}
		token, _ := mustToken(t, s, ada, hub.TokenRead)
		change := func(old, fresh string) error { return s.ChangePassword(ctx, ada.ID, old, fresh, "192.0.2.1") }
		wantCode(t, "a wrong old password", change("wrong horse", "battery staple"), hub.CodeForbidden)
		wantCode(t, "a short new password", change(password, "short"), hub.CodeInvalid)
		if _, err := s.SessionActor(ctx, cookie); err != nil {
			t.Fatalf("refused changes ended the session: %v", err)
		}
		if err := change(password, "battery staple"); err != nil {
			t.Fatal(err)
		}
		_, err = s.SessionActor(ctx, cookie)
		wantCode(t, "the session after the change", err, hub.CodeUnauthenticated)
		_, err = s.SignIn(ctx, "ada", password, "192.0.2.1")
		wantCode(t, "the old password", err, hub.CodeUnauthenticated)
		if _, err := s.SignIn(ctx, "ada", "battery staple", "192.0.2.1"); err != nil {
			t.Errorf("the new password: %v", err)
		}
		if _, err := s.Authenticate(ctx, token); err != nil {
			t.Errorf("the token after the change: %v", err)
		}
		for range 10 {
			err = change("wrong horse", "battery staple")
		}
		wantCode(t, "the tenth guess of the old password", err, hub.CodeRateLimited)
	})
}

func TestSessions(t *testing.T) {
	run(t, func(t *testing.T, s *Service, c *clock) {
		ctx := context.Background()
		ada := mustCreate(t, s, "ada")
		start := func() string {
			cookie, err := s.StartSession(ctx, ada.ID, strings.Repeat("ä", 1000)+"\xff")
			if err != nil {
				t.Fatal(err)
			}
			return cookie
		}
		first, second, third := start(), start(), start()
		want := hub.Actor{ID: ada.ID, Name: "ada", FullName: "ada", Email: "ada@example.org", Write: true}
		if got, err := s.SessionActor(ctx, first); err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("SessionActor = %+v, %v, want %+v", got, err, want)
		}
		if err := s.EndSession(ctx, first); err != nil {
			t.Fatal(err)
		}
		for what, cookie := range map[string]string{"an ended session": first, "no session": "", "a forged one": "x" + second} {
			_, err := s.SessionActor(ctx, cookie)
			wantCode(t, what, err, hub.CodeUnauthenticated)
		}
		if _, err := s.SessionActor(ctx, second); err != nil {
			t.Errorf("another session ended too: %v", err)
		}
		c.advance(SessionLifetime - time.Second)
		if _, err := s.SessionActor(ctx, second); err != nil {
			t.Errorf("in its last second: %v", err)
		}
		if err := s.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		if got, _, err := s.db.Read().SessionActor(ctx, hashSecret(second), c.now()); err != nil || c.now().Sub(got.LastSeenAt) >= usePrecision {
			t.Errorf("last seen %v, %v, want within %v of %v", got.LastSeenAt, err, usePrecision, c.now())
		}
		c.advance(time.Second)
		_, err := s.SessionActor(ctx, second)
		wantCode(t, "an expired session", err, hub.CodeUnauthenticated)

		fourth := start()
		if err := s.EndSessions(ctx, ada.ID); err != nil {
			t.Fatal(err)
		}
		for _, cookie := range []string{third, fourth} {
			_, err := s.SessionActor(ctx, cookie)
			wantCode(t, "a session after EndSessions", err, hub.CodeUnauthenticated)
		}
	})
}

func TestAuthenticate(t *testing.T) {
	run(t, func(t *testing.T, s *Service, c *clock) {
		ctx := context.Background()
		ada := mustCreate(t, s, "Ada")
		bob := mustCreate(t, s, "bob")
		if _, err := s.CreateOrg(ctx, "Acme", "Acme Inc.", ada.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := s.CreateOrg(ctx, "beta", "", bob.ID); err != nil {
			t.Fatal(err)
		}
		if err := s.AddMember(ctx, "BETA", "ada", hub.RoleContributor); err != nil {
			t.Fatal(err)
		}
		write, token := mustToken(t, s, ada, hub.TokenWrite)
		if !strings.HasPrefix(write, "hf_") || len(write) != 37 {
			t.Errorf("token %q, want hf_ and 34 digits", write)
		}
		if strings.Contains(token.Hint, write[5:30]) || !strings.HasSuffix(token.Hint, write[33:]) {
			t.Errorf("hint %q of %q", token.Hint, write)
		}
		got, err := s.Authenticate(ctx, write)
		if err != nil {
			t.Fatal(err)
		}
		want := Grant{
			Actor: hub.Actor{
				ID: ada.ID, Name: "Ada", FullName: "Ada", Email: "Ada@example.org", Write: true,
				Orgs: map[string]hub.Role{"acme": hub.RoleAdmin, "beta": hub.RoleContributor},
			},
			Token: token,
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("Authenticate (-want +got):\n%s", d)
		}
		read, _ := mustToken(t, s, bob, hub.TokenRead)
		if got, err := s.Authenticate(ctx, read); err != nil || got.Actor.Write || got.Actor.Name != "bob" || got.Actor.RoleIn("Beta") != hub.RoleAdmin {
			t.Errorf("Authenticate(read token) = %+v, %v", got, err)
		}
		short, _, err := s.CreateToken(ctx, ada.ID, NewToken{Name: "ci", Role: hub.TokenRead, ExpiresAt: c.now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Authenticate(ctx, short); err != nil {
			t.Errorf("before its expiry: %v", err)
		}
		c.advance(time.Hour)
		for what, bad := range map[string]string{
			"an expired token": short, "no token": "", "a forged token": "hf_" + strings.Repeat("A", 34),
			"a foreign token": "glpat-1", "a longer token": write + "x", "a huge token": "hf_" + strings.Repeat("A", 1<<20),
		} {
			_, err := s.Authenticate(ctx, bad)
			wantCode(t, what, err, hub.CodeUnauthenticated)
			if hub.MessageOf(err) != "Invalid credentials in Authorization header" {
				t.Errorf("%s: message %q", what, hub.MessageOf(err))
			}
		}
	})
}

func TestTokens(t *testing.T) {
	run(t, func(t *testing.T, s *Service, c *clock) {
		ctx := context.Background()
		ada, bob := mustCreate(t, s, "ada"), mustCreate(t, s, "bob")
		text, first := mustToken(t, s, ada, hub.TokenWrite)
		c.advance(time.Hour)
		_, second := mustToken(t, s, ada, hub.TokenRead)
		if _, err := s.Authenticate(ctx, text); err != nil {
			t.Fatal(err)
		}
		if err := s.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		first.LastUsedAt = c.now().Truncate(usePrecision)
		got, err := s.Tokens(ctx, ada.ID)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]Token{second, first}, got); d != "" {
			t.Errorf("Tokens (-want +got):\n%s", d)
		}
		wantCode(t, "revoking another's token", s.RevokeToken(ctx, bob.ID, first.ID), hub.CodeNotFound)
		if err := s.RevokeToken(ctx, ada.ID, first.ID); err != nil {
			t.Fatal(err)
		}
		_, err = s.Authenticate(ctx, text)
		wantCode(t, "a revoked token", err, hub.CodeUnauthenticated)
		wantCode(t, "revoking it again", s.RevokeToken(ctx, ada.ID, first.ID), hub.CodeNotFound)

		acme, err := s.CreateOrg(ctx, "acme", "", ada.ID)
		if err != nil {
			t.Fatal(err)
		}
		for what, try := range map[string]struct {
			account int64
			n       NewToken
		}{
			"no name":         {ada.ID, NewToken{Role: hub.TokenRead}},
			"a line break":    {ada.ID, NewToken{Name: "a\nb", Role: hub.TokenRead}},
			"an unknown role": {ada.ID, NewToken{Name: "a", Role: "god"}},
			"a past expiry":   {ada.ID, NewToken{Name: "a", Role: hub.TokenRead, ExpiresAt: c.now()}},
			"an organization": {acme.ID, NewToken{Name: "a", Role: hub.TokenRead}},
		} {
			_, _, err := s.CreateToken(ctx, try.account, try.n)
			wantCode(t, "CreateToken with "+what, err, hub.CodeInvalid)
		}
		_, _, err = s.CreateToken(ctx, 1, NewToken{Name: "a", Role: hub.TokenRead})
		wantCode(t, "CreateToken for nobody", err, hub.CodeNotFound)
	})
}

// Authenticate must not write: only Flush does, and only once in five minutes.
func TestUseIsNotedRarely(t *testing.T) {
	run(t, func(t *testing.T, s *Service, c *clock) {
		ctx := context.Background()
		text, _ := mustToken(t, s, mustCreate(t, s, "ada"), hub.TokenRead)
		pending := func() int {
			if _, err := s.Authenticate(ctx, text); err != nil {
				t.Fatal(err)
			}
			s.used.mu.Lock()
			defer s.used.mu.Unlock()
			return len(s.used.tokens)
		}
		if got := pending(); got != 1 {
			t.Fatalf("%d tokens wait to be noted after a first use, want 1", got)
		}
		if err := s.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		if got := pending(); got != 0 {
			t.Errorf("%d tokens wait after use within five minutes, want 0", got)
		}
		c.advance(2 * usePrecision)
		if got := pending(); got != 1 {
			t.Errorf("%d tokens wait after ten minutes, want 1", got)
		}
	})
}

func TestOrgs(t *testing.T) {
	run(t, func(t *testing.T, s *Service, c *clock) {
		ctx := context.Background()
		ada, bob := mustCreate(t, s, "ada"), mustCreate(t, s, "bob")
		zeta, err := s.CreateOrg(ctx, "Zeta", "", ada.ID)
		if err != nil {
			t.Fatal(err)
		}
		acme, err := s.CreateOrg(ctx, "acme", "Acme Inc.", ada.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, role := range []hub.Role{hub.RoleRead, hub.RoleWrite} { // the second replaces the first
			if err := s.AddMember(ctx, "zeta", "BOB", role); err != nil {
				t.Fatal(err)
			}
		}
		for _, tt := range []struct {
			account hub.Account
			want    []Membership
		}{
			{ada, []Membership{{acme, hub.RoleAdmin}, {zeta, hub.RoleAdmin}}},
			{bob, []Membership{{zeta, hub.RoleWrite}}},
		} {
			got, err := s.OrgsOf(ctx, tt.account.ID)
			if err != nil || cmp.Diff(tt.want, got) != "" {
				t.Errorf("OrgsOf(%s) = %+v, %v, want %+v", tt.account.Name, got, err, tt.want)
			}
		}
		_, err = s.CreateOrg(ctx, "BOB", "", ada.ID)
		wantCode(t, "an organization named like a user", err, hub.CodeConflict)
		_, err = s.CreateUser(ctx, NewAccount{Name: "ACME"})
		wantCode(t, "a user named like an organization", err, hub.CodeConflict)
		wantCode(t, "an unknown role", s.AddMember(ctx, "acme", "bob", "owner"), hub.CodeInvalid)
		wantCode(t, "a member of a user", s.AddMember(ctx, "ada", "bob", hub.RoleRead), hub.CodeInvalid)
		wantCode(t, "an organization as a member", s.AddMember(ctx, "acme", "zeta", hub.RoleRead), hub.CodeInvalid)
		wantCode(t, "an unknown user", s.AddMember(ctx, "acme", "nobody", hub.RoleRead), hub.CodeNotFound)
	})
}

func TestFirstAdmin(t *testing.T) {
	run(t, func(t *testing.T, s *Service, c *clock) {
		ctx := context.Background()
		link := func() string {
			code, ok, err := s.FirstAdminLink(ctx)
			if err != nil || !ok {
				t.Fatalf("FirstAdminLink = %v, %v", ok, err)
			}
			return code
		}
		old := link()
		c.advance(LinkLifetime)
		code := link()
		root := NewAccount{Name: "root-user", Password: password}
		for what, bad := range map[string]string{"an expired link": old, "a forged link": "x", "no link": ""} {
			_, err := s.RedeemFirstAdmin(ctx, bad, root, "192.0.2.1")
			wantCode(t, what, err, hub.CodeForbidden)
		}
		_, err := s.RedeemFirstAdmin(ctx, code, NewAccount{Name: "root-user"}, "192.0.2.1")
		wantCode(t, "a link without a password", err, hub.CodeInvalid)
		_, err = s.RedeemFirstAdmin(ctx, code, NewAccount{Name: "api", Password: password}, "192.0.2.1")
		wantCode(t, "a link with a reserved name", err, hub.CodeInvalid)
		if err := s.FirstAdminCode(ctx, code, "192.0.2.1"); err != nil {
			t.Fatalf("refused attempts used the link up: %v", err)
		}

		// Two at once, each by a link of its own: one wins.
		other := link()
		var wins, losses atomic.Int32
		var wg sync.WaitGroup
		for i, code := range []string{code, other, code, other} {
			wg.Go(func() {
				n := NewAccount{Name: fmt.Sprintf("admin-%d", i), Password: password}
				a, err := s.RedeemFirstAdmin(ctx, code, n, "192.0.2.1")
				switch {
				case err == nil && a.Admin:
					wins.Add(1)
				case hub.CodeOf(err) == hub.CodeForbidden:
					losses.Add(1)
				default:
					t.Errorf("RedeemFirstAdmin = %+v, %v", a, err)
				}
			})
		}
		wg.Wait()
		if wins.Load() != 1 || losses.Load() != 3 {
			t.Errorf("%d first administrators and %d refusals, want 1 and 3", wins.Load(), losses.Load())
		}
		if _, ok, err := s.FirstAdminLink(ctx); ok || err != nil {
			t.Errorf("FirstAdminLink with an account = %v, %v, want false", ok, err)
		}
	})
}

func TestPasswordLink(t *testing.T) {
	run(t, func(t *testing.T, s *Service, c *clock) {
		ctx := context.Background()
		eve, err := s.CreateUser(ctx, NewAccount{Name: "eve"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.CreateOrg(ctx, "acme", "", eve.ID); err != nil {
			t.Fatal(err)
		}
		_, err = s.PasswordLink(ctx, "acme")
		wantCode(t, "a link for an organization", err, hub.CodeInvalid)
		_, err = s.PasswordLink(ctx, "nobody")
		wantCode(t, "a link for nobody", err, hub.CodeNotFound)
		first, err := s.PasswordLink(ctx, "EVE")
		if err != nil {
			t.Fatal(err)
		}
		second, err := s.PasswordLink(ctx, "eve")
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.RedeemFirstAdmin(ctx, first, NewAccount{Name: "mallory", Password: password}, "192.0.2.1")
		wantCode(t, "a password link as a first administrator", err, hub.CodeForbidden)
		_, err = s.RedeemPassword(ctx, first, "short", "192.0.2.1")
		wantCode(t, "a short password", err, hub.CodeInvalid)
		if got, err := s.RedeemPassword(ctx, first, password, "192.0.2.1"); err != nil || got != eve {
			t.Fatalf("RedeemPassword = %+v, %v", got, err)
		}
		for _, code := range []string{first, second} {
			_, err := s.RedeemPassword(ctx, code, "battery staple", "192.0.2.1")
			wantCode(t, "a link after one was used", err, hub.CodeForbidden)
		}
		if _, err := s.SignIn(ctx, "eve", password, "192.0.2.1"); err != nil {
			t.Errorf("SignIn with the new password: %v", err)
		}
	})
}

func BenchmarkAuthenticate(b *testing.B) {
	for _, orgs := range []int{0, 3, 20} {
		b.Run(fmt.Sprintf("orgs=%d", orgs), func(b *testing.B) {
			ctx := context.Background()
			s := newService(b, storetest.SQLite(b), newClock(), Policy{})
			ada := mustCreate(b, s, "ada")
			for i := range orgs {
				if _, err := s.CreateOrg(ctx, fmt.Sprintf("org-%d", i), "", ada.ID); err != nil {
					b.Fatal(err)
				}
			}
			text, _ := mustToken(b, s, ada, hub.TokenWrite)
			for b.Loop() {
				if _, err := s.Authenticate(ctx, text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPassword(b *testing.B) {
	h := newHasher(DefaultHashParams)
	hash, err := h.hash(context.Background(), password)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if ok, _, err := h.verify(context.Background(), password, hash); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
