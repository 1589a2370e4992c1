package identity

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/store"
)

// Lifetimes of OAuth tokens. huggingface_hub refreshes a token with less than
// a day left, at the start of every process: an access token must live for
// many days, or each command would rotate it.
const (
	AccessLifetime  = 30 * 24 * time.Hour
	RefreshLifetime = 180 * 24 * time.Hour
)

// refreshRace is how long after its use a refresh token may turn up again
// without being taken for stolen: two processes of one user can race.
const refreshRace = time.Minute

// OAuthCode is an error code of RFC 6749 and RFC 8628.
type OAuthCode string

// The error codes.
const (
	AuthorizationPending OAuthCode = "authorization_pending"
	SlowDown             OAuthCode = "slow_down"
	ExpiredToken         OAuthCode = "expired_token"
	AccessDenied         OAuthCode = "access_denied"
	InvalidGrant         OAuthCode = "invalid_grant"
	InvalidClient        OAuthCode = "invalid_client"
	InvalidScope         OAuthCode = "invalid_scope"
)

// OAuthError is a refusal in the words of OAuth, which has its own wire form.
type OAuthError struct {
	Code        OAuthCode
	Description string // for people
}

func (e *OAuthError) Error() string { return string(e.Code) + ": " + e.Description }

func oauthError(code OAuthCode, description string) *OAuthError {
	return &OAuthError{Code: code, Description: description}
}

// OAuthTokens is what an approved app gets.
type OAuthTokens struct {
	Access    string
	Refresh   string
	ExpiresIn time.Duration // of Access
	Scope     string
}

// Scopes lists the scopes that mean something here; others are kept and give
// nothing.
var Scopes = []string{"openid", "profile", "email", "read-repos", "gated-repos", "contribute-repos", "write-repos", "manage-repos"}

// scopeRole is the token role that a scope amounts to. No scope at all is what
// huggingface_hub asks for: the user's own rights.
func scopeRole(scope string) hub.TokenRole {
	if scope == "" {
		return hub.TokenWrite
	}
	for f := range strings.FieldsSeq(scope) {
		switch f {
		case "contribute-repos", "write-repos", "manage-repos":
			return hub.TokenWrite
		}
	}
	return hub.TokenRead
}

// Lengths of what a client says of itself.
const (
	maxClientID = 200
	maxScope    = 1000
)

// checkClient checks a public client's id and scope. Clients need not be
// registered: the user sees the id when he approves.
func checkClient(clientID, scope string) error {
	switch {
	case clientID == "" || len(clientID) > maxClientID || !printable(clientID):
		return oauthError(InvalidClient, "client_id is missing or malformed.")
	case len(scope) > maxScope || !printable(scope):
		return oauthError(InvalidScope, "scope is malformed.")
	}
	return nil
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// pythonClient is the client id that huggingface_hub sends by default.
const pythonClient = "26be6b09-91c5-47da-9861-d2d2bb7a7e36"

// ClientName is what people are shown for a client id.
func ClientName(clientID string) string {
	if clientID == pythonClient {
		return "Hugging Face command line (hf)"
	}
	return clientID
}

// RefreshToken trades a refresh token for new tokens; it can be used once. The
// access token before stays good until its own time, for the processes that
// hold it. A refresh token that turns up again after a while has been copied,
// so all tokens of its grant end.
func (s *Service) RefreshToken(ctx context.Context, refresh, clientID string) (OAuthTokens, error) {
	if !strings.HasPrefix(refresh, refreshPrefix) || len(refresh) > maxToken {
		return OAuthTokens{}, errBadRefresh
	}
	var tokens OAuthTokens
	err := s.db.Update(ctx, func(q *store.Q) error {
		old, err := q.UseRefresh(ctx, hashSecret(refresh), clientID, s.now())
		if err != nil {
			return err
		}
		tokens, err = s.issue(ctx, q, old)
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return OAuthTokens{}, s.refuseRefresh(ctx, refresh)
	case err != nil:
		return OAuthTokens{}, err
	}
	return tokens, nil
}

var errBadRefresh = oauthError(InvalidGrant, "The refresh token is unknown, expired or was used. Log in again.")

// refuseRefresh ends the grant of a refresh token that was used before.
func (s *Service) refuseRefresh(ctx context.Context, refresh string) error {
	t, err := s.db.Read().TokenByRefresh(ctx, hashSecret(refresh))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return errBadRefresh
	case err != nil:
		return err
	case t.RefreshUsedAt.IsZero() || s.now().Sub(t.RefreshUsedAt) < refreshRace:
		return errBadRefresh
	}
	s.log.Warn("a used OAuth refresh token came back; its grant is revoked", "account", t.AccountID, "client", t.ClientID)
	err = s.db.Update(ctx, func(q *store.Q) error {
		_, err := q.DeleteGrant(ctx, t.AccountID, t.GrantID)
		return err
	})
	if err != nil {
		return err
	}
	return errBadRefresh
}

// issue adds the next token of a grant, or the first if like has no GrantID.
func (s *Service) issue(ctx context.Context, q *store.Q, like store.AccessToken) (OAuthTokens, error) {
	access, refresh := randomToken(oauthPrefix), randomToken(refreshPrefix)
	now := s.now()
	t := store.AccessToken{
		ID: store.NewID(), GrantID: like.GrantID, AccountID: like.AccountID, Kind: OAuthToken,
		Name: like.Name, Role: like.Role, Hash: hashSecret(access), Hint: tokenHint(access),
		CreatedAt: now, ExpiresAt: now.Add(AccessLifetime), ClientID: like.ClientID, Scope: like.Scope,
		RefreshHash: hashSecret(refresh), RefreshExpiresAt: now.Add(RefreshLifetime),
	}
	if t.GrantID == 0 {
		t.GrantID = t.ID
	}
	if err := q.InsertToken(ctx, t); err != nil {
		return OAuthTokens{}, err
	}
	return OAuthTokens{Access: access, Refresh: refresh, ExpiresIn: AccessLifetime, Scope: t.Scope}, nil
}
