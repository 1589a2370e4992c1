package identity

import (
	"context"
	"errors"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/store"
)

// Purposes of one-time links.
const (
	forFirstAdmin = "first administrator"
	forPassword   = "password"
)

// LinkLifetime is how long a one-time link is good.
const LinkLifetime = 24 * time.Hour

var errBadLink = hub.Errorf(hub.CodeForbidden, "This link has been used or has expired. Ask the operator of the hub for a new one.")

// FirstAdminLink returns a code by which somebody becomes the administrator of
// a hub without accounts; ok is false when there is an account.
func (s *Service) FirstAdminLink(ctx context.Context) (code string, ok bool, err error) {
	has, err := s.db.Read().HasAccounts(ctx)
	if err != nil || has {
		return "", false, err
	}
	code, err = s.newLink(ctx, forFirstAdmin, 0)
	return code, err == nil, err
}

// FirstAdminCode reports whether a code makes an administrator, for the page
// behind the link.
func (s *Service) FirstAdminCode(ctx context.Context, code, address string) error {
	_, err := s.goodLink(ctx, code, forFirstAdmin, address)
	return err
}

// RedeemFirstAdmin adds the first account of a hub, an administrator. All
// links to become it end; of several at once one wins.
func (s *Service) RedeemFirstAdmin(ctx context.Context, code string, n NewAccount, address string) (hub.Account, error) {
	if err := s.FirstAdminCode(ctx, code, address); err != nil { // before a hash is spent on it
		return hub.Account{}, err
	}
	if err := checkPassword(n.Password, n.Name); err != nil {
		return hub.Account{}, err
	}
	n.Admin = true
	return s.createUser(ctx, n, func(q *store.Q) error {
		switch ok, err := q.UseOneTimes(ctx, hashSecret(code), forFirstAdmin, 0, s.now()); {
		case err != nil:
			return err
		case !ok:
			return errBadLink
		}
		switch has, err := q.HasAccounts(ctx); {
		case err != nil:
			return err
		case has:
			return errBadLink
		}
		return nil
	})
}

// PasswordLink returns a code by which a user sets a new password.
func (s *Service) PasswordLink(ctx context.Context, name string) (string, error) {
	a, err := s.Account(ctx, name)
	if err != nil {
		return "", err
	}
	if a.Kind != hub.UserAccount {
		return "", hub.Invalidf("%s is an organization: nobody signs in to it", a.Name)
	}
	return s.newLink(ctx, forPassword, a.ID)
}

// PasswordCode returns the account whose password a code sets, for the page
// behind the link.
func (s *Service) PasswordCode(ctx context.Context, code, address string) (hub.Account, error) {
	id, err := s.goodLink(ctx, code, forPassword, address)
	if err != nil {
		return hub.Account{}, err
	}
	return s.AccountByID(ctx, id)
}

// RedeemPassword sets a password by a password link, ends the user's sessions
// and all his password links.
func (s *Service) RedeemPassword(ctx context.Context, code, password, address string) (hub.Account, error) {
	account, err := s.PasswordCode(ctx, code, address)
	if err != nil {
		return hub.Account{}, err
	}
	if err := checkPassword(password, account.Name); err != nil {
		return hub.Account{}, err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return hub.Account{}, err
	}
	err = s.db.Update(ctx, func(q *store.Q) error {
		switch ok, err := q.UseOneTimes(ctx, hashSecret(code), forPassword, account.ID, s.now()); {
		case err != nil:
			return err
		case !ok:
			return errBadLink
		}
		if err := q.SetPassword(ctx, account.ID, hash); err != nil {
			return err
		}
		return q.DeleteSessions(ctx, account.ID)
	})
	if err != nil {
		return hub.Account{}, err
	}
	return account, nil
}

func (s *Service) newLink(ctx context.Context, purpose string, accountID int64) (string, error) {
	code, hash := newSecret()
	link := store.OneTime{Hash: hash, Purpose: purpose, AccountID: accountID, ExpiresAt: s.now().Add(LinkLifetime)}
	if err := s.db.Update(ctx, func(q *store.Q) error { return q.InsertOneTime(ctx, link) }); err != nil {
		return "", err
	}
	return code, nil
}

// goodLink returns the account of a code that can still be used.
func (s *Service) goodLink(ctx context.Context, code, purpose, address string) (int64, error) {
	now := s.now()
	if err := s.links.Take(addressKey(address), now).Err(); err != nil {
		return 0, err
	}
	id, err := s.db.Read().GoodOneTime(ctx, hashSecret(code), purpose, now)
	if errors.Is(err, store.ErrNotFound) {
		return 0, errBadLink
	}
	return id, err
}
