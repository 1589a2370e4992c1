package identity

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/store"
)

// SignIn checks the password of the user with a name or email address, for a
// client at address. Whatever is wrong, the answer is hub.ErrUnauthenticated
// and takes one password hash; too many attempts are a *ratelimit.Exceeded.
func (s *Service) SignIn(ctx context.Context, nameOrEmail, password, address string) (hub.Account, error) {
	nameOrEmail = strings.TrimSpace(nameOrEmail)
	done, err := s.attempt(clip(strings.ToLower(nameOrEmail), 254), address)
	if err != nil {
		return hub.Account{}, err
	}
	login, err := s.login(ctx, nameOrEmail)
	if err != nil {
		return hub.Account{}, err
	}
	if err := s.checkLogin(ctx, login, password); err != nil {
		return hub.Account{}, err
	}
	done()
	return login.Account, nil
}

// login returns the login of a name or email address, one without a password
// if there is none.
func (s *Service) login(ctx context.Context, nameOrEmail string) (store.Login, error) {
	find, parse := s.db.Read().LoginByName, hub.ParseAccountName
	if strings.Contains(nameOrEmail, "@") {
		find, parse = s.db.Read().LoginByEmail, parseEmail
	}
	nameOrEmail, err := parse(nameOrEmail)
	if err != nil {
		return store.Login{}, nil
	}
	login, err := find(ctx, nameOrEmail)
	if errors.Is(err, store.ErrNotFound) {
		return store.Login{}, nil
	}
	return login, err
}

// checkLogin checks a password, and replaces its hash if it is an old one.
func (s *Service) checkLogin(ctx context.Context, login store.Login, password string) error {
	if len(password) > maxPassword {
		password = "" // never valid
	}
	ok, stale, err := s.hasher.verify(ctx, password, login.PasswordHash)
	switch {
	case err != nil:
		return fmt.Errorf("check password of account %d: %w", login.ID, err)
	case !ok:
		return hub.ErrUnauthenticated
	case !stale:
		return nil
	}
	fresh, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(q *store.Q) error {
		_, err := q.ReplacePassword(ctx, login.ID, login.PasswordHash, fresh)
		return err // one that was changed meanwhile stays
	})
}

// attempt counts an attempt to open an account from an address. The caller
// calls done after it succeeded.
func (s *Service) attempt(account, address string) (done func(), err error) {
	now := s.now()
	address = addressKey(address)
	pair := account + "\x00" + address
	if err := s.signInAddress.Attempt(address, now); err != nil {
		return nil, err
	}
	if err := s.signInPair.Attempt(pair, now); err != nil {
		return nil, err
	}
	if err := s.signInAccount.Attempt(account, now); err != nil {
		return nil, err
	}
	return func() {
		s.signInPair.Clear(pair)
		s.signInAccount.Clear(account)
		// Not cleared: who has one account could guess at others for ever.
		s.signInAddress.Forgive(address)
	}, nil
}

// addressKey is the part of an address that one attacker holds: an IPv4
// address, or the /64 of an IPv6 address.
func addressKey(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return clip(address, 64)
	}
	ip = ip.Unmap()
	if ip.Is4() {
		return ip.String()
	}
	p, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return ip.String()
	}
	return p.String()
}

// ChangePassword replaces a user's password and ends his sessions. A user who
// has no password needs a password link.
func (s *Service) ChangePassword(ctx context.Context, accountID int64, old, password, address string) error {
	login, err := s.db.Read().LoginByID(ctx, accountID)
	if err != nil {
		return found(err, "Account")
	}
	if err := checkPassword(password, login.Name); err != nil {
		return err
	}
	done, err := s.attempt("change "+strconv.FormatInt(accountID, 10), address)
	if err != nil {
		return err
	}
	ok, _, err := s.hasher.verify(ctx, old, login.PasswordHash)
	switch {
	case err != nil:
		return err
	case !ok:
		return hub.Errorf(hub.CodeForbidden, "The old password is wrong.")
	}
	done()
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(q *store.Q) error {
		ok, err := q.ReplacePassword(ctx, accountID, login.PasswordHash, hash)
		if err != nil {
			return err
		}
		if !ok {
			return hub.Errorf(hub.CodeConflict, "The password was changed by somebody else just now.")
		}
		return q.DeleteSessions(ctx, accountID)
	})
}
