package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/store"
)

// Names of the session cookie. Browsers take the __Host- prefix as a promise
// (Secure, this host only, Path=/) and refuse it over plain http.
const (
	SecureSessionCookie = "__Host-pantry"
	PlainSessionCookie  = "pantry"
)

// SessionLifetime is how long a browser stays signed in.
const SessionLifetime = 30 * 24 * time.Hour

// newSecret returns 256 random bits as URL-safe text, and their hash.
func newSecret() (string, store.SecretHash) {
	var b [32]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	text := base64.RawURLEncoding.EncodeToString(b[:])
	return text, hashSecret(text)
}

func hashSecret(text string) store.SecretHash { return sha256.Sum256([]byte(text)) }

// StartSession signs a browser in and returns the value of its cookie, which
// is good for SessionLifetime.
func (s *Service) StartSession(ctx context.Context, accountID int64, userAgent string) (string, error) {
	value, hash := newSecret()
	now := s.now()
	err := s.db.Update(ctx, func(q *store.Q) error {
		return q.InsertSession(ctx, store.Session{
			Hash: hash, AccountID: accountID, CreatedAt: now, ExpiresAt: now.Add(SessionLifetime),
			UserAgent: clip(userAgent, maxUserAgent),
		})
	})
	if err != nil {
		return "", err
	}
	return value, nil
}

// SessionActor returns who a session cookie belongs to, with the right to
// write. A cookie that is good no more is hub.ErrUnauthenticated.
func (s *Service) SessionActor(ctx context.Context, value string) (hub.Actor, error) {
	hash := hashSecret(value)
	now := s.now()
	session, actor, err := s.db.Read().SessionActor(ctx, hash, now)
	if errors.Is(err, store.ErrNotFound) {
		return hub.Actor{}, hub.ErrUnauthenticated
	}
	if err != nil {
		return hub.Actor{}, err
	}
	if now.Sub(session.LastSeenAt) >= usePrecision {
		s.used.session(hash)
	}
	actor.Write = true
	return actor, nil
}

// EndSession signs a browser out.
func (s *Service) EndSession(ctx context.Context, value string) error {
	return s.db.Update(ctx, func(q *store.Q) error { return q.DeleteSession(ctx, hashSecret(value)) })
}

// EndSessions signs a user out everywhere. His access tokens stay.
func (s *Service) EndSessions(ctx context.Context, accountID int64) error {
	return s.db.Update(ctx, func(q *store.Q) error { return q.DeleteSessions(ctx, accountID) })
}
