package git

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/store"
)

// maxSteps bounds the commits that the suffixes of one revision walk back.
const maxSteps = 10_000

var hexDigits = regexp.MustCompile(`^[0-9a-fA-F]{4,40}$`)

// Resolve returns the commit that a revision names, and the full name of the
// ref if it names one. A revision is "" or HEAD for the default branch, a full
// ref name, a short name (branches before tags), a commit or annotated tag id,
// the first 4 or more digits of a commit's id if no other starts so, and any of
// these followed by ^, ^n or ~n. Otherwise the error has
// hub.CodeRevisionNotFound.
func (r Reader) Resolve(ctx context.Context, rev hub.Revision, defaultBranch string) (commit hub.OID, ref string, err error) {
	name, suffix := string(rev), ""
	if i := strings.IndexAny(name, "^~"); i >= 0 {
		name, suffix = name[:i], name[i:]
	}
	commit, ref, err = r.resolveName(ctx, name, defaultBranch)
	if err == nil && suffix != "" {
		ref = ""
		commit, err = r.walkBack(ctx, commit, suffix)
	}
	if errors.Is(err, store.ErrNotFound) {
		shown := string(rev)
		if shown == "" {
			shown = defaultBranch
		}
		return hub.OID{}, "", hub.Errorf(hub.CodeRevisionNotFound, "Invalid rev id: %s", shown)
	}
	if err != nil {
		return hub.OID{}, "", fmt.Errorf("resolve %q: %w", string(rev), err)
	}
	return commit, ref, nil
}

// resolveName resolves a revision without suffixes, or returns
// store.ErrNotFound.
func (r Reader) resolveName(ctx context.Context, name, defaultBranch string) (hub.OID, string, error) {
	if !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		return hub.OID{}, "", store.ErrNotFound // PostgreSQL refuses such text
	}
	var ref store.Ref
	var err error
	switch {
	case name == "" || name == "HEAD":
		ref, err = r.q.Ref(ctx, r.repo, hub.BranchPrefix+defaultBranch)
	case strings.HasPrefix(name, "refs/"):
		ref, err = r.q.Ref(ctx, r.repo, name)
	case len(name) == 40 && hexDigits.MatchString(name):
		oid, err := r.resolveOID(ctx, name)
		return oid, "", err
	default:
		ref, err = r.q.FirstRef(ctx, r.repo, hub.BranchPrefix+name, hub.TagPrefix+name, "refs/"+name)
	}
	if errors.Is(err, store.ErrNotFound) && hexDigits.MatchString(name) {
		oid, err := r.resolveShortOID(ctx, name)
		return oid, "", err
	}
	return ref.Target, ref.Name, err
}

// resolveOID checks that a full id is stored and peels annotated tags.
func (r Reader) resolveOID(ctx context.Context, digits string) (hub.OID, error) {
	oid, err := hub.ParseOID(digits)
	if err != nil {
		return oid, err
	}
	const maxPeel = 8 // tags of tags
	for range maxPeel {
		o, err := r.q.GitObject(ctx, r.repo, oid)
		if err != nil || o.Kind == KindCommit {
			return oid, err
		}
		if o.Kind != KindTag {
			break
		}
		payload, err := Inflate(o.Data, o.Size, maxCommit)
		if err != nil {
			return oid, err
		}
		tag, err := DecodeTag(payload)
		if err != nil {
			return oid, err
		}
		oid = tag.Target
	}
	return oid, store.ErrNotFound
}

func (r Reader) resolveShortOID(ctx context.Context, digits string) (hub.OID, error) {
	oids, err := r.q.CommitsByPrefix(ctx, r.repo, strings.ToLower(digits), 2)
	if err != nil {
		return hub.OID{}, err
	}
	if len(oids) != 1 { // none, or ambiguous
		return hub.OID{}, store.ErrNotFound
	}
	return oids[0], nil
}

// walkBack follows suffixes: ^ and ^n go to a parent, ~n to the first parent n
// times.
func (r Reader) walkBack(ctx context.Context, oid hub.OID, suffix string) (hub.OID, error) {
	budget := maxSteps
	for suffix != "" {
		op := suffix[0]
		n := 1
		digits := len(suffix[1:]) - len(strings.TrimLeft(suffix[1:], "0123456789"))
		if digits > 0 {
			var err error
			if n, err = strconv.Atoi(suffix[1 : 1+digits]); err != nil {
				return oid, store.ErrNotFound
			}
		}
		suffix = suffix[1+digits:]
		if op != '^' && op != '~' {
			return oid, store.ErrNotFound
		}
		parent, times := n, min(n, 1)
		if op == '~' {
			parent, times = 1, n
		}
		if budget -= times; budget < 0 {
			return oid, store.ErrNotFound
		}
		for range times {
			c, err := r.commit(ctx, oid)
			if err != nil {
				return oid, err
			}
			if parent > len(c.Parents) {
				return oid, store.ErrNotFound
			}
			oid = c.Parents[parent-1]
		}
	}
	return oid, nil
}
