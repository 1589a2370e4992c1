package casapi

import (
	"encoding/binary"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/cas"
	"github.com/pantryhub/pantry/internal/sign"
)

// tokenTTL is the lifetime of an access token. Clients refresh one only between
// requests, and an upload of a large shard is one request.
const tokenTTL = time.Hour

// Tokens makes and checks the access tokens that clients show to the CAS.
type Tokens struct {
	key sign.Key
	now func() time.Time
}

// NewTokens makes Tokens that are signed by key.
func NewTokens(key sign.Key, now func() time.Time) *Tokens { return &Tokens{key, now} }

const (
	tokenPurpose = "xet token"
	fetchPurpose = "xet fetch"
)

// Mint makes a token that lets an account read, or read and write, the files of
// one repository until it expires.
func (t *Tokens) Mint(repoID, accountID int64, write bool) (token string, expires time.Time) {
	b := binary.BigEndian.AppendUint64(nil, uint64(repoID))
	b = binary.BigEndian.AppendUint64(b, uint64(accountID))
	var right byte
	if write {
		right = 1
	}
	expires = t.now().Add(tokenTTL)
	return t.key.Seal(tokenPurpose, append(b, right), expires), expires
}

// grant is what a token allows.
type grant struct {
	cas.Scope
	write bool
}

// check returns what the token of a request allows.
func (t *Tokens) check(r *http.Request) (grant, error) {
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(kind, "Bearer") || token == "" {
		return grant{}, hub.Errorf(hub.CodeUnauthenticated, "A Xet access token is needed.")
	}
	b, err := t.key.Open(tokenPurpose, strings.TrimSpace(token), t.now())
	switch {
	case errors.Is(err, sign.ErrExpired):
		return grant{}, hub.Errorf(hub.CodeUnauthenticated, "The Xet access token has expired.")
	case err != nil || len(b) != 17:
		return grant{}, hub.Errorf(hub.CodeUnauthenticated, "The Xet access token is not valid.")
	}
	return grant{
		Scope: cas.Scope{RepoID: int64(binary.BigEndian.Uint64(b)), AccountID: int64(binary.BigEndian.Uint64(b[8:]))},
		write: b[16] == 1,
	}, nil
}
