package identity

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/store"
)

// Prefixes of access tokens. Clients in JavaScript refuse any token that does
// not begin with "hf_".
const (
	tokenPrefix   = "hf_"
	oauthPrefix   = "hf_oauth_"
	refreshPrefix = "hf_refresh_"
)

// tokenDigits is how many base62 digits follow the prefix: 202 bits.
const tokenDigits = 34

// maxToken bounds the length of a token that is looked up.
const maxToken = 128

const base62 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// randomToken returns a new token.
func randomToken(prefix string) string { return prefix + randomText(base62, tokenDigits) }

// randomText returns n random characters of an alphabet of at most 64.
func randomText(alphabet string, n int) string {
	out := make([]byte, 0, n)
	var b [64]byte
	for len(out) < n {
		rand.Read(b[:]) // never fails (crypto/rand)
		for _, v := range b {
			if i := int(v & 63); i < len(alphabet) && len(out) < n { // reject, not reduce: no bias
				out = append(out, alphabet[i])
			}
		}
	}
	return string(out)
}

// tokenHint is what a listing shows of a token.
func tokenHint(token string) string {
	return token[:len(tokenPrefix)+1] + "…" + token[len(token)-4:]
}

// Token describes an access token.
type Token struct {
	ID         int64 // stays the same when an OAuth token is refreshed
	Kind       TokenKind
	Name       string
	Role       hub.TokenRole
	Hint       string // enough to recognise it, not to use it
	CreatedAt  time.Time
	LastUsedAt time.Time // to five minutes; zero: never
	ExpiresAt  time.Time // zero: never
	ClientID   string    // of the app; OAuth only
	Scope      string    // space-separated; OAuth only
}

// TokenKind says how an access token came to be.
type TokenKind = store.TokenKind

// The kinds of access token.
const (
	PersonalToken = store.PersonalToken // made by its user
	OAuthToken    = store.OAuthToken    // given to an app that the user approved
)

func tokenOf(t store.AccessToken) Token {
	return Token{
		ID: t.GrantID, Kind: t.Kind, Name: t.Name, Role: t.Role, Hint: t.Hint, CreatedAt: t.CreatedAt,
		LastUsedAt: t.LastUsedAt, ExpiresAt: t.ExpiresAt, ClientID: t.ClientID, Scope: t.Scope,
	}
}

// Grant is what a credential stands for: who is asking, and by which token.
type Grant struct {
	Actor hub.Actor
	Token Token // zero when the credential is a session cookie
}

// NewToken says what a new personal access token is to be.
type NewToken struct {
	Name      string
	Role      hub.TokenRole
	ExpiresAt time.Time // zero: never
}

// CreateToken makes a personal access token for a user and returns its text,
// which is not kept.
func (s *Service) CreateToken(ctx context.Context, accountID int64, n NewToken) (string, Token, error) {
	name := strings.TrimSpace(n.Name)
	switch {
	case name == "" || len(name) > maxTokenName || !isLine(name):
		return "", Token{}, hub.Invalidf("A token name is one line of 1 to %d bytes.", maxTokenName)
	case n.Role != hub.TokenRead && n.Role != hub.TokenWrite:
		return "", Token{}, hub.Invalidf("unknown token role %q: want read or write", n.Role)
	case !n.ExpiresAt.IsZero() && !n.ExpiresAt.After(s.now()):
		return "", Token{}, hub.Invalidf("The token would have expired already.")
	}
	account, err := s.AccountByID(ctx, accountID)
	if err != nil {
		return "", Token{}, err
	}
	if account.Kind != hub.UserAccount {
		return "", Token{}, hub.Invalidf("%s is an organization: only users have access tokens", account.Name)
	}
	text := randomToken(tokenPrefix)
	id := store.NewID()
	row := store.AccessToken{
		ID: id, GrantID: id, AccountID: accountID, Kind: PersonalToken, Name: name, Role: n.Role,
		Hash: hashSecret(text), Hint: tokenHint(text), CreatedAt: s.now(), ExpiresAt: n.ExpiresAt,
	}
	if err := s.db.Update(ctx, func(q *store.Q) error { return q.InsertToken(ctx, row) }); err != nil {
		return "", Token{}, err
	}
	return text, tokenOf(row), nil
}

// Tokens returns a user's access tokens, newest first.
func (s *Service) Tokens(ctx context.Context, accountID int64) ([]Token, error) {
	rows, err := s.db.Read().Tokens(ctx, accountID)
	if err != nil {
		return nil, err
	}
	out := make([]Token, len(rows))
	for i, r := range rows {
		out[i] = tokenOf(r)
	}
	return out, nil
}

// RevokeToken ends an access token of a user; with an OAuth token, all that
// its app was given.
func (s *Service) RevokeToken(ctx context.Context, accountID, id int64) error {
	return s.db.Update(ctx, func(q *store.Q) error {
		n, err := q.DeleteGrant(ctx, accountID, id)
		if err == nil && n == 0 {
			return hub.Errorf(hub.CodeNotFound, "Token not found")
		}
		return err
	})
}

// badCredentials is compared by clients, letter by letter: with any other
// text they take a 401 for a missing repository.
func badCredentials(reason error) error {
	return &hub.Error{Code: hub.CodeUnauthenticated, Message: "Invalid credentials in Authorization header", Err: reason}
}

var (
	errNoSuchToken  = errors.New("no such access token")
	errTokenExpired = errors.New("the access token has expired")
)

// Authenticate returns what an access token stands for. One that is unknown,
// revoked or expired is CodeUnauthenticated.
func (s *Service) Authenticate(ctx context.Context, token string) (Grant, error) {
	if !strings.HasPrefix(token, tokenPrefix) || len(token) > maxToken {
		return Grant{}, badCredentials(errNoSuchToken)
	}
	row, actor, err := s.db.Read().TokenActor(ctx, hashSecret(token))
	if errors.Is(err, store.ErrNotFound) {
		return Grant{}, badCredentials(errNoSuchToken)
	}
	if err != nil {
		return Grant{}, err
	}
	now := s.now()
	if !row.ExpiresAt.IsZero() && !now.Before(row.ExpiresAt) {
		return Grant{}, badCredentials(errTokenExpired)
	}
	if now.Sub(row.LastUsedAt) >= usePrecision {
		s.used.token(row.ID)
	}
	actor.Write = row.Role == hub.TokenWrite
	return Grant{Actor: actor, Token: tokenOf(row)}, nil
}
