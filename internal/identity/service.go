package identity

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/ratelimit"
	"github.com/pantryhub/pantry/internal/store"
)

// Config is what a Service is made of.
type Config struct {
	DB     *store.DB
	Now    func() time.Time // nil: time.Now
	Log    *slog.Logger     // for the background work of Run; nil: discarded
	Policy Policy
}

// Policy is what an operator decides.
type Policy struct {
	OpenSignUp bool       // anybody may sign up
	Hash       HashParams // cost of password hashes; zero: DefaultHashParams
}

// Service keeps accounts and tells who is asking. It is safe for concurrent
// use, and several may share a database.
type Service struct {
	db     *store.DB
	now    func() time.Time
	log    *slog.Logger
	policy Policy
	hasher *hasher
	used   *usage

	signInPair    *ratelimit.Backoff // by account and address
	signInAccount *ratelimit.Backoff
	signInAddress *ratelimit.Backoff
	signUps       *ratelimit.Limiter // by address
	deviceStarts  *ratelimit.Limiter // by address
	userCodes     *ratelimit.Limiter // by account
	links         *ratelimit.Limiter // one-time codes, by address
}

// New makes a Service.
func New(c Config) (*Service, error) {
	if c.DB == nil {
		return nil, errors.New("identity: no database")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Policy.Hash == (HashParams{}) {
		c.Policy.Hash = DefaultHashParams
	}
	if err := c.Policy.Hash.check(); err != nil {
		return nil, err
	}
	return &Service{
		db:     c.DB,
		now:    c.Now,
		log:    c.Log,
		policy: c.Policy,
		hasher: newHasher(c.Policy.Hash),
		used:   newUsage(),

		// A person who mistypes waits seconds. A guesser from one address gets
		// about 100 tries a day at one account; the limit over all addresses
		// is short, or it would lock its owner out.
		signInPair:    ratelimit.NewBackoff(5, 15*time.Minute),
		signInAccount: ratelimit.NewBackoff(50, 20*time.Second),
		signInAddress: ratelimit.NewBackoff(30, 5*time.Minute),
		signUps:       ratelimit.NewLimiter(20, time.Hour),
		deviceStarts:  ratelimit.NewLimiter(60, 10*time.Minute),
		userCodes:     ratelimit.NewLimiter(30, 10*time.Minute),
		links:         ratelimit.NewLimiter(30, 10*time.Minute),
	}, nil
}

const (
	flushEvery = time.Minute
	sweepEvery = time.Hour
	// keepExpired lets a late poll of a device learn that it is too late.
	keepExpired = time.Hour
)

// Run writes what the read paths noted and deletes what has expired, until ctx
// ends; then it writes once more and returns.
func (s *Service) Run(ctx context.Context) {
	flush := time.NewTicker(flushEvery)
	defer flush.Stop()
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			s.logFailure("note use of credentials", s.Flush(last))
			return
		case <-flush.C:
			s.logFailure("note use of credentials", s.Flush(ctx))
		case <-sweep.C:
			s.logFailure("delete expired credentials", s.Sweep(ctx))
		}
	}
}

func (s *Service) logFailure(what string, err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		s.log.Warn(what, "err", err)
	}
}

// Flush writes when tokens and sessions were last used.
func (s *Service) Flush(ctx context.Context) error {
	tokens, sessions := s.used.take()
	if len(tokens)+len(sessions) == 0 {
		return nil
	}
	at := s.now().Truncate(usePrecision)
	return s.db.Update(ctx, func(q *store.Q) error {
		if err := q.TouchTokens(ctx, tokens, at); err != nil {
			return err
		}
		return q.TouchSessions(ctx, sessions, at)
	})
}

// Sweep deletes expired sessions, device grants, links and OAuth tokens.
func (s *Service) Sweep(ctx context.Context) error {
	before := s.now().Add(-keepExpired)
	return s.db.Update(ctx, func(q *store.Q) error { return q.DeleteExpired(ctx, before) })
}

// Limits of what comes from outside.
const (
	maxFullName  = 100
	maxTokenName = 100
	maxUserAgent = 200
)

// isLine reports whether s is UTF-8 text without control characters.
func isLine(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// clip shortens s to about n bytes of valid UTF-8, for values that are only
// displayed or counted.
func clip(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "?")
}

// found turns the store's ErrNotFound into the hub's.
func found(err error, what string) error {
	if errors.Is(err, store.ErrNotFound) {
		return hub.Errorf(hub.CodeNotFound, "%s not found", what)
	}
	return err
}
