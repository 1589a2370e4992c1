package identity

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pantryhub/pantry/hub"
)

func wantOAuth(t *testing.T, what string, err error, want OAuthCode) {
	t.Helper()
	var e *OAuthError
	if !errors.As(err, &e) || e.Code != want {
		t.Errorf("%s = %v, want %s", what, err, want)
	}
}

func mustStart(t *testing.T, s *Service, scope string) (string, Device) {
	t.Helper()
	code, d, err := s.StartDevice(context.Background(), pythonClient, scope, "192.0.2.1")
	if err != nil {
		t.Fatalf("StartDevice: %v", err)
	}
	return code, d
}

func mustActor(t *testing.T, s *Service, name string) hub.Actor {
	t.Helper()
	a := mustCreate(t, s, name)
	return hub.Actor{ID: a.ID, Name: a.Name, Write: true}
}

func TestDeviceFlow(t *testing.T) {
	run(t, func(t *testing.T, s *Service, c *clock) {
		ctx := context.Background()
		ada := mustActor(t, s, "ada")
		code, d := mustStart(t, s, "")
		poll := func() error {
			_, err := s.PollDevice(ctx, code, pythonClient)
			return err
		}
		wantOAuth(t, "the first poll", poll(), AuthorizationPending)
		c.advance(DevicePoll)
		wantOAuth(t, "a poll in time", poll(), AuthorizationPending)
		c.advance(DevicePoll - pollSlop)
		wantOAuth(t, "a poll that the network brought early", poll(), AuthorizationPending)
		c.advance(time.Second)
		wantOAuth(t, "a poll too early", poll(), SlowDown)
		c.advance(DevicePoll)
		wantOAuth(t, "a poll at the old pace", poll(), SlowDown)
		c.advance(DevicePoll + 2*slowDown)
		wantOAuth(t, "a poll at the new pace", poll(), AuthorizationPending)

		_, err := s.PollDevice(ctx, code, "another-client")
		wantOAuth(t, "another client's poll", err, InvalidGrant)
		_, err = s.PollDevice(ctx, "unknown", pythonClient)
		wantOAuth(t, "an unknown device code", err, InvalidGrant)
		_, err = s.PollDevice(ctx, d.UserCode, pythonClient)
		wantOAuth(t, "the user code as the device code", err, InvalidGrant)

		typed := strings.ToLower(strings.ReplaceAll(d.UserCode, "-", " "))
		got, err := s.DeviceByUserCode(ctx, ada, typed)
		if err != nil || got.UserCode != d.UserCode || got.ClientID != pythonClient || got.Role != hub.TokenWrite {
			t.Fatalf("DeviceByUserCode(%q) = %+v, %v, want %+v", typed, got, err, d)
		}
		if err := s.ApproveDevice(ctx, ada, typed); err != nil {
			t.Fatal(err)
		}
		wantCode(t, "approving again", s.ApproveDevice(ctx, ada, typed), hub.CodeNotFound)
		wantCode(t, "denying what was approved", s.DenyDevice(ctx, ada, typed), hub.CodeNotFound)

		tokens, err := s.PollDevice(ctx, code, pythonClient) // at once: an answer is ready
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(tokens.Access, "hf_oauth_") || tokens.ExpiresIn != AccessLifetime {
			t.Errorf("tokens %+v", tokens)
		}
		g, err := s.Authenticate(ctx, tokens.Access)
		if err != nil || g.Actor.Name != "ada" || !g.Actor.Write || g.Token.Kind != OAuthToken || g.Token.Name != "oauth-ada" {
			t.Errorf("Authenticate = %+v, %v", g, err)
		}
		_, err = s.Authenticate(ctx, tokens.Refresh)
		wantCode(t, "the refresh token as an access token", err, hub.CodeUnauthenticated)
		wantOAuth(t, "a poll after the tokens were given", poll(), InvalidGrant)
	})
}

func TestDeviceFlowEnds(t *testing.T) {
	run(t, func(t *testing.T, s *Service, c *clock) {
		ctx := context.Background()
		ada := mustActor(t, s, "ada")
		code, d := mustStart(t, s, "")
		if err := s.DenyDevice(ctx, ada, d.UserCode); err != nil {
			t.Fatal(err)
		}
		_, err := s.PollDevice(ctx, code, pythonClient)
		wantOAuth(t, "a denied device", err, AccessDenied)

		code, d = mustStart(t, s, "")
		c.advance(DeviceLifetime)
		if err := s.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		_, err = s.PollDevice(ctx, code, pythonClient)
		wantOAuth(t, "an expired device", err, ExpiredToken)
		wantCode(t, "approving too late", s.ApproveDevice(ctx, ada, d.UserCode), hub.CodeNotFound)
		c.advance(keepExpired)
		if err := s.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		_, err = s.PollDevice(ctx, code, pythonClient)
		wantOAuth(t, "a forgotten device", err, InvalidGrant)

		_, d = mustStart(t, s, "")
		for what, actor := range map[string]hub.Actor{"nobody": {}, "a read token": {ID: ada.ID, Name: "ada"}} {
			wantCode(t, "approval by "+what, s.ApproveDevice(ctx, actor, d.UserCode), hub.CodeForbidden)
		}
		for range 50 {
			_, err = s.DeviceByUserCode(ctx, ada, "BBBB-BBBB")
		}
		wantCode(t, "the 50th guess of a user code", err, hub.CodeRateLimited)

		for _, tt := range []struct {
			client, scope string
			want          OAuthCode
		}{
			{"", "", InvalidClient}, {"a\nb", "", InvalidClient}, {strings.Repeat("c", 201), "", InvalidClient},
			{"client", "a\x00", InvalidScope}, {"client", strings.Repeat("s", 1001), InvalidScope},
		} {
			_, _, err := s.StartDevice(ctx, tt.client, tt.scope, "192.0.2.1")
			wantOAuth(t, "StartDevice", err, tt.want)
		}
		for range 100 {
			_, _, err = s.StartDevice(ctx, pythonClient, "", "192.0.2.7")
		}
		wantCode(t, "the 100th device of an address", err, hub.CodeRateLimited)
	})
}

func TestDevicePollsAtOnce(t *testing.T) {
	run(t, func(t *testing.T, s *Service, c *clock) {
		ctx := context.Background()
		ada := mustActor(t, s, "ada")
		code, d := mustStart(t, s, "read-repos")
		if err := s.ApproveDevice(ctx, ada, d.UserCode); err != nil {
			t.Fatal(err)
		}
		won := atOnce(t, 4, func() (OAuthTokens, error) { return s.PollDevice(ctx, code, pythonClient) })
		g, err := s.Authenticate(ctx, won.Access)
		if err != nil || g.Actor.Write || g.Token.Scope != "read-repos" {
			t.Errorf("a token with scope read-repos: %+v, %v, want no write", g, err)
		}
	})
}

// atOnce runs n calls together and returns the tokens of the only one that
// must win; the others must be refused with invalid_grant.
func atOnce(t *testing.T, n int, call func() (OAuthTokens, error)) OAuthTokens {
	t.Helper()
	var mu sync.Mutex
	var won []OAuthTokens
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			tokens, err := call()
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won = append(won, tokens)
				return
			}
			wantOAuth(t, "a call that came second", err, InvalidGrant)
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Fatalf("%d of %d calls at once got tokens, want 1", len(won), n)
	}
	return won[0]
}

func login(t *testing.T, s *Service, actor hub.Actor) OAuthTokens {
	t.Helper()
	code, d := mustStart(t, s, "")
	if err := s.ApproveDevice(context.Background(), actor, d.UserCode); err != nil {
		t.Fatal(err)
	}
	tokens, err := s.PollDevice(context.Background(), code, pythonClient)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func TestRefresh(t *testing.T) {
	run(t, func(t *testing.T, s *Service, c *clock) {
		ctx := context.Background()
		ada := mustActor(t, s, "ada")
		first := login(t, s, ada)
		c.advance(AccessLifetime - 12*time.Hour)
		second, err := s.RefreshToken(ctx, first.Refresh, pythonClient)
		if err != nil {
			t.Fatal(err)
		}
		for what, token := range map[string]string{"the new access token": second.Access, "the old one": first.Access} {
			if g, err := s.Authenticate(ctx, token); err != nil || !g.Actor.Write {
				t.Errorf("%s: %+v, %v", what, g, err)
			}
		}
		list, err := s.Tokens(ctx, ada.ID)
		if err != nil || len(list) != 1 {
			t.Errorf("Tokens after a refresh = %+v, %v, want one", list, err)
		}
		c.advance(12 * time.Hour)
		_, err = s.Authenticate(ctx, first.Access)
		wantCode(t, "the old access token past its time", err, hub.CodeUnauthenticated)

		for what, try := range map[string][2]string{
			"another client": {second.Refresh, "other"}, "an unknown token": {refreshPrefix + "x", pythonClient},
			"an access token": {second.Access, pythonClient}, "nothing": {"", pythonClient},
		} {
			_, err := s.RefreshToken(ctx, try[0], try[1])
			wantOAuth(t, "refresh with "+what, err, InvalidGrant)
		}
		if err := s.RevokeToken(ctx, ada.ID, list[0].ID); err != nil {
			t.Fatal(err)
		}
		_, err = s.Authenticate(ctx, second.Access)
		wantCode(t, "a token of a revoked grant", err, hub.CodeUnauthenticated)
		_, err = s.RefreshToken(ctx, second.Refresh, pythonClient)
		wantOAuth(t, "refresh of a revoked grant", err, InvalidGrant)
	})
}

func TestRefreshAtOnce(t *testing.T) {
	run(t, func(t *testing.T, s *Service, c *clock) {
		ctx := context.Background()
		first := login(t, s, mustActor(t, s, "ada"))
		second := atOnce(t, 4, func() (OAuthTokens, error) { return s.RefreshToken(ctx, first.Refresh, pythonClient) })
		if _, err := s.Authenticate(ctx, second.Access); err != nil {
			t.Errorf("those who came second ended the grant: %v", err)
		}
	})
}

func TestStolenRefreshToken(t *testing.T) {
	run(t, func(t *testing.T, s *Service, c *clock) {
		ctx := context.Background()
		ada := mustActor(t, s, "ada")
		first, other := login(t, s, ada), login(t, s, ada)
		second, err := s.RefreshToken(ctx, first.Refresh, pythonClient)
		if err != nil {
			t.Fatal(err)
		}
		c.advance(refreshRace)
		_, err = s.RefreshToken(ctx, first.Refresh, pythonClient)
		wantOAuth(t, "a used refresh token", err, InvalidGrant)
		_, err = s.Authenticate(ctx, second.Access)
		wantCode(t, "the grant of a refresh token that came back", err, hub.CodeUnauthenticated)
		if _, err := s.Authenticate(ctx, other.Access); err != nil {
			t.Errorf("another grant ended too: %v", err)
		}
	})
}

func TestRefreshExpires(t *testing.T) {
	run(t, func(t *testing.T, s *Service, c *clock) {
		ctx := context.Background()
		ada := mustActor(t, s, "ada")
		tokens := login(t, s, ada)
		c.advance(RefreshLifetime)
		_, err := s.RefreshToken(ctx, tokens.Refresh, pythonClient)
		wantOAuth(t, "an expired refresh token", err, InvalidGrant)
		c.advance(keepExpired)
		if err := s.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		if list, err := s.Tokens(ctx, ada.ID); err != nil || len(list) != 0 {
			t.Errorf("Tokens after Sweep = %+v, %v, want none", list, err)
		}
	})
}

func TestScopeRole(t *testing.T) {
	for _, tt := range []struct {
		scope string
		want  hub.TokenRole
	}{
		{"", hub.TokenWrite},
		{"openid profile", hub.TokenRead},
		{"read-repos gated-repos", hub.TokenRead},
		{"openid write-repos", hub.TokenWrite},
		{"manage-repos", hub.TokenWrite},
		{"no-write-repos", hub.TokenRead},
		{" ", hub.TokenRead},
	} {
		if got := scopeRole(tt.scope); got != tt.want {
			t.Errorf("scopeRole(%q) = %s, want %s", tt.scope, got, tt.want)
		}
	}
}

func TestNormalUserCode(t *testing.T) {
	for _, tt := range []struct {
		typed, want string
		ok          bool
	}{
		{"BCDF-GHJK", "BCDF-GHJK", true},
		{"bcdfghjk", "BCDF-GHJK", true},
		{" b c d f - g h j k ", "BCDF-GHJK", true},
		{"BCDF-GHJ", "", false},
		{"BCDF-GHJKL", "", false},
		{"ACDF-GHJK", "", false},
		{"BCDF_GHJ", "", false},
		{"", "", false},
		{strings.Repeat(" ", 1000) + "BCDF-GHJK", "", false},
	} {
		if got, ok := normalUserCode(tt.typed); got != tt.want || ok != tt.ok {
			t.Errorf("normalUserCode(%q) = %q, %v, want %q, %v", tt.typed, got, ok, tt.want, tt.ok)
		}
	}
}
