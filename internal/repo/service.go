package repo

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/authz"
	"github.com/pantryhub/pantry/internal/cas"
	"github.com/pantryhub/pantry/internal/git"
	"github.com/pantryhub/pantry/internal/store"
)

// Config is what a Service is made of.
type Config struct {
	DB       *store.DB
	CAS      *cas.Service
	SpoolDir string           // for commit bodies too large for memory; may be cleared while no service runs
	Now      func() time.Time // time.Now if nil
	Log      *slog.Logger     // slog.Default if nil
}

// Service reads and changes repositories. It is safe for concurrent use.
type Service struct {
	db       *store.DB
	cas      *cas.Service
	cache    *git.Cache
	headers  *headerCache
	rows     *rowCache
	counter  *downloadCounter
	spoolDir string
	now      func() time.Time
	log      *slog.Logger
	locks    [64]sync.Mutex // by repository: writers of one wait here, not in SQL
}

// treeCacheBytes bounds the parsed trees and commits kept in memory.
const treeCacheBytes = 24 << 20

// New makes a Service. Close it to write out pending download counts.
func New(cfg Config) (*Service, error) {
	if cfg.DB == nil || cfg.CAS == nil || cfg.SpoolDir == "" {
		return nil, errors.New("repo: a database, a CAS and a spool folder are needed")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	cache, err := git.NewCache(treeCacheBytes)
	if err != nil {
		return nil, err
	}
	headers, err := newHeaderCache()
	if err != nil {
		return nil, err
	}
	rows, err := newRowCache(cfg.DB)
	if err != nil {
		return nil, err
	}
	return &Service{
		db: cfg.DB, cas: cfg.CAS, cache: cache, headers: headers, rows: rows,
		counter: newDownloadCounter(cfg.DB, cfg.Log), spoolDir: cfg.SpoolDir, now: cfg.Now, log: cfg.Log,
	}, nil
}

// Close writes out what is pending.
func (s *Service) Close() error { return s.counter.close() }

// Repo is an existing repository as one actor sees it. Open returns it; its
// methods need no further check for the right that was asked for.
type Repo struct {
	store.Found
	Actor hub.Actor
	svc   *Service
}

// MovedError says that a repository has another id now. Transports redirect.
type MovedError struct{ To hub.RepoID }

func (e *MovedError) Error() string { return "repository moved to " + e.To.String() }

// Open returns a repository if the actor has the right. What the actor may not
// see is reported as hub.ErrRepoNotFound, so that its existence stays hidden.
// A former id gives *MovedError.
func (s *Service) Open(ctx context.Context, actor hub.Actor, t hub.RepoType, id hub.RepoID, right authz.Right) (*Repo, error) {
	found, err := s.rows.repo(ctx, t, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, hub.ErrRepoNotFound
	}
	if err != nil {
		return nil, err
	}
	if err := check(actor, found.Repo, right); err != nil {
		return nil, err
	}
	if found.Moved {
		return nil, &MovedError{To: found.Name}
	}
	return &Repo{Found: found, Actor: actor, svc: s}, nil
}

// check returns the error that tells an actor as much as he may know.
func check(actor hub.Actor, r store.Repo, right authz.Right) error {
	facts := facts(actor, r)
	switch {
	case authz.Allowed(actor, facts, right):
		return nil
	case r.Disabled && r.Visibility != hub.Private:
		return hub.Errorf(hub.CodeDisabled, "Access to this resource is disabled.")
	case !authz.Allowed(actor, facts, authz.See):
		return hub.ErrRepoNotFound
	case right == authz.Read && r.Gated != hub.NotGated && actor.IsAnonymous():
		return hub.Errorf(hub.CodeGatedAnonymous, "Access to %s %s is restricted. You must be authenticated to access it.", r.Type, r.Name)
	case right == authz.Read && r.Gated != hub.NotGated:
		return hub.Errorf(hub.CodeGatedRepo, "Access to %s %s is restricted and you are not in the authorized list. Ask its owner for access.", r.Type, r.Name)
	case right == authz.Read:
		return hub.ErrRepoNotFound
	case actor.IsAnonymous():
		return hub.ErrUnauthenticated
	case !actor.Write:
		return hub.Errorf(hub.CodeForbidden, "This token is read-only. Use a token with the role write.")
	}
	return hub.Errorf(hub.CodeForbidden, "You don't have the rights to change the %s %s.", r.Type, r.Name)
}

func facts(actor hub.Actor, r store.Repo) authz.Facts {
	return authz.Facts{
		Namespace: r.Name.Namespace, Visibility: r.Visibility, Gated: r.Gated, Disabled: r.Disabled,
		Creator: !actor.IsAnonymous() && r.OwnerID == actor.ID,
	}
}

// Allowed reports whether the actor of r has another right as well.
func (r *Repo) Allowed(right authz.Right) bool {
	return authz.Allowed(r.Actor, facts(r.Actor, r.Repo), right)
}

// Require returns nil if the actor of r has the right, or what to tell him.
func (r *Repo) Require(right authz.Right) error { return check(r.Actor, r.Repo, right) }

func (r *Repo) git() git.Reader { return git.NewReader(r.svc.db.Read(), r.svc.cache, r.ID) }

// lock serialises the writers of one repository in this process. Replicas are
// kept apart by the conditions of the ref update.
func (s *Service) lock(repoID int64) (unlock func()) {
	m := &s.locks[uint64(repoID)%uint64(len(s.locks))]
	m.Lock()
	return m.Unlock
}
