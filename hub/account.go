package hub

import (
	"regexp"
	"strings"
	"time"
)

// AccountKind tells users from organizations. Both are namespaces.
type AccountKind string

// The kinds of account.
const (
	UserAccount AccountKind = "user"
	OrgAccount  AccountKind = "org"
)

// Role is a member's role in an organization, weakest first: RoleRead,
// RoleContributor, RoleWrite, RoleAdmin.
type Role string

// The roles.
const (
	RoleRead        Role = "read"
	RoleContributor Role = "contributor"
	RoleWrite       Role = "write"
	RoleAdmin       Role = "admin"
)

// TokenRole is what an access token allows: read, or read and write.
type TokenRole string

// The token roles.
const (
	TokenRead  TokenRole = "read"
	TokenWrite TokenRole = "write"
)

// Actor is who is asking. The zero value is the anonymous visitor.
type Actor struct {
	ID       int64  // account id; 0 when anonymous
	Name     string // account name
	FullName string
	Email    string
	Admin    bool            // site administrator
	Write    bool            // false when signed in with a read token
	Orgs     map[string]Role // lower-case organization name -> role
}

// IsAnonymous reports whether nobody is signed in.
func (a Actor) IsAnonymous() bool { return a.ID == 0 }

// RoleIn returns the actor's role in a namespace: RoleAdmin in his own, his
// membership role in an organization, "" elsewhere.
func (a Actor) RoleIn(namespace string) Role {
	if a.IsAnonymous() {
		return ""
	}
	if strings.EqualFold(a.Name, namespace) {
		return RoleAdmin
	}
	return a.Orgs[strings.ToLower(namespace)]
}

// Account is a user or an organization.
type Account struct {
	ID        int64
	Name      string
	FullName  string
	Email     string
	Kind      AccountKind
	Admin     bool
	CreatedAt time.Time
}

var (
	accountName = regexp.MustCompile(`^[A-Za-z0-9](?:-?[A-Za-z0-9])*$`)
	allDigits   = regexp.MustCompile(`^[0-9]+$`)
	hex24       = regexp.MustCompile(`^[0-9a-fA-F]{24}$`)
)

// ParseAccountName checks a user or organization name: 2 to 42 letters, digits
// and single dashes, neither all digits nor 24 hex digits (those are ids on
// the wire), and not a word that the hub's own routes use.
func ParseAccountName(s string) (string, error) {
	switch {
	case len(s) < 2 || len(s) > 42:
		return "", Invalidf("a user name has 2 to 42 characters, got %d", len(s))
	case !accountName.MatchString(s):
		return "", Invalidf("%q is not a valid user name: use letters, digits and single dashes, and neither begin nor end with a dash", s)
	case allDigits.MatchString(s) || hex24.MatchString(s):
		return "", Invalidf("%q is not a valid user name: it looks like a number or an id", s)
	case reservedNamespaces[strings.ToLower(s)]:
		return "", Invalidf("%q is a reserved name", s)
	}
	return s, nil
}

// ReservedNamespace reports whether a word is the first segment of a route of
// the hub itself and so no account can have it.
func ReservedNamespace(s string) bool { return reservedNamespaces[strings.ToLower(s)] }
