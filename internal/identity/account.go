package identity

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/store"
)

// NewAccount is what a new user says of himself.
type NewAccount struct {
	Name     string
	FullName string // may be empty
	Email    string // may be empty
	Password string // may be empty only in CreateUser
	Admin    bool   // only CreateUser heeds it
}

// SignUp adds a user who came by himself from an address. It is refused while
// sign-up is closed, and until the hub has its first administrator.
func (s *Service) SignUp(ctx context.Context, n NewAccount, address string) (hub.Account, error) {
	if !s.policy.OpenSignUp {
		return hub.Account{}, hub.Errorf(hub.CodeForbidden, "Sign-up is closed on this hub. Ask its administrator for an account.")
	}
	switch ready, err := s.db.Read().HasAccounts(ctx); {
	case err != nil:
		return hub.Account{}, err
	case !ready:
		return hub.Account{}, hub.Errorf(hub.CodeForbidden, "This hub has no administrator yet: its operator finds the link to become one where the hub was started.")
	}
	if err := checkPassword(n.Password, n.Name); err != nil {
		return hub.Account{}, err
	}
	if err := s.signUps.Take(addressKey(address), s.now()).Err(); err != nil {
		return hub.Account{}, err
	}
	n.Admin = false
	return s.createUser(ctx, n, nil)
}

// OpenSignUp reports whether anybody may sign up.
func (s *Service) OpenSignUp() bool { return s.policy.OpenSignUp }

// Ready reports whether the hub has an account: until then it waits for its
// first administrator, and nobody else can sign up.
func (s *Service) Ready(ctx context.Context) (bool, error) { return s.db.Read().HasAccounts(ctx) }

// CreateUser adds a user on behalf of an administrator. Without a password the
// account is opened by access tokens and by a password link only.
func (s *Service) CreateUser(ctx context.Context, n NewAccount) (hub.Account, error) {
	if n.Password != "" {
		if err := checkPassword(n.Password, n.Name); err != nil {
			return hub.Account{}, err
		}
	}
	return s.createUser(ctx, n, nil)
}

// createUser adds a user. before, if not nil, runs first in the same
// transaction.
func (s *Service) createUser(ctx context.Context, n NewAccount, before func(*store.Q) error) (hub.Account, error) {
	a, err := s.newAccount(n, hub.UserAccount)
	if err != nil {
		return hub.Account{}, err
	}
	hash := ""
	if n.Password != "" {
		if hash, err = s.hasher.hash(ctx, n.Password); err != nil {
			return hub.Account{}, err
		}
	}
	err = s.db.Update(ctx, func(q *store.Q) error {
		if before != nil {
			if err := before(q); err != nil {
				return err
			}
		}
		return q.InsertAccount(ctx, a, hash)
	})
	if err != nil {
		return hub.Account{}, s.taken(ctx, a, err)
	}
	return a, nil
}

// newAccount checks the fields of a new account.
func (s *Service) newAccount(n NewAccount, kind hub.AccountKind) (hub.Account, error) {
	name, err := hub.ParseAccountName(n.Name)
	if err != nil {
		return hub.Account{}, err
	}
	full := strings.TrimSpace(n.FullName)
	if full == "" {
		full = name
	}
	if len(full) > maxFullName || !isLine(full) {
		return hub.Account{}, hub.Invalidf("A full name is one line of at most %d bytes.", maxFullName)
	}
	email, err := parseEmail(n.Email)
	if err != nil {
		return hub.Account{}, err
	}
	return hub.Account{
		ID: store.NewID(), Name: name, FullName: full, Email: email,
		Kind: kind, Admin: n.Admin, CreatedAt: s.now().UTC(),
	}, nil
}

func parseEmail(email string) (string, error) {
	email = strings.TrimSpace(email)
	if email == "" {
		return "", nil
	}
	a, err := mail.ParseAddress(email)
	if err != nil || a.Address != email || len(email) > 254 || strings.ContainsAny(email, " \t\r\n\"") {
		return "", hub.Invalidf("%q is not an email address", email)
	}
	return email, nil
}

// taken says whether the name or the email of an account that could not be
// inserted belongs to somebody.
func (s *Service) taken(ctx context.Context, a hub.Account, err error) error {
	if !errors.Is(err, store.ErrConflict) {
		return err
	}
	if _, lookup := s.db.Read().AccountByName(ctx, a.Name); lookup == nil {
		return &hub.Error{Code: hub.CodeConflict, Message: fmt.Sprintf("The name %q is taken.", a.Name), Err: err}
	}
	return &hub.Error{Code: hub.CodeConflict, Message: "An account with this email address exists.", Err: err}
}

// CreateOrg adds an organization that owner administrates. The caller has
// checked that owner may.
func (s *Service) CreateOrg(ctx context.Context, name, fullName string, owner int64) (hub.Account, error) {
	org, err := s.newAccount(NewAccount{Name: name, FullName: fullName}, hub.OrgAccount)
	if err != nil {
		return hub.Account{}, err
	}
	err = s.db.Update(ctx, func(q *store.Q) error {
		if err := q.InsertAccount(ctx, org, ""); err != nil {
			return err
		}
		return q.PutMember(ctx, org.ID, owner, hub.RoleAdmin)
	})
	if err != nil {
		return hub.Account{}, s.taken(ctx, org, err)
	}
	return org, nil
}

// AddMember gives a user a role in an organization, in place of the one that
// he has. The caller has checked that this is allowed.
func (s *Service) AddMember(ctx context.Context, orgName, userName string, role hub.Role) error {
	switch role {
	case hub.RoleRead, hub.RoleContributor, hub.RoleWrite, hub.RoleAdmin:
	default:
		return hub.Invalidf("unknown role %q: want read, contributor, write or admin", role)
	}
	org, err := s.Account(ctx, orgName)
	if err != nil {
		return err
	}
	user, err := s.Account(ctx, userName)
	if err != nil {
		return err
	}
	if org.Kind != hub.OrgAccount || user.Kind != hub.UserAccount {
		return hub.Invalidf("%s is a %s and %s is a %s: only users are members, and only of organizations",
			org.Name, org.Kind, user.Name, user.Kind)
	}
	return s.db.Update(ctx, func(q *store.Q) error { return q.PutMember(ctx, org.ID, user.ID, role) })
}

// Membership is a role in an organization.
type Membership struct {
	Org  hub.Account
	Role hub.Role
}

// OrgsOf returns the organizations of a user, by name.
func (s *Service) OrgsOf(ctx context.Context, accountID int64) ([]Membership, error) {
	rows, err := s.db.Read().Memberships(ctx, accountID)
	if err != nil {
		return nil, err
	}
	out := make([]Membership, len(rows))
	for i, r := range rows {
		out[i] = Membership(r)
	}
	return out, nil
}

// Account returns a user or organization by name, in any case of letters.
func (s *Service) Account(ctx context.Context, name string) (hub.Account, error) {
	if _, err := hub.ParseAccountName(name); err != nil {
		return hub.Account{}, hub.Errorf(hub.CodeNotFound, "Account not found")
	}
	a, err := s.db.Read().AccountByName(ctx, name)
	return a, found(err, "Account")
}

// AccountByID returns a user or organization.
func (s *Service) AccountByID(ctx context.Context, id int64) (hub.Account, error) {
	a, err := s.db.Read().AccountByID(ctx, id)
	return a, found(err, "Account")
}
