// Package authz decides who may do what. It is one pure function over facts
// that its callers look up: no database, no HTTP. Everything that is not
// granted here is refused.
package authz

import "github.com/pantryhub/pantry/hub"

// Right is something an actor may do with a repository.
type Right uint8

// The rights. Each is asked for by name; none implies another in this package,
// the table below grants them together.
const (
	See   Right = iota // know that it exists, read its metadata and file names
	Read               // read its files
	Write              // commit, branch, tag
	Admin              // settings, move, delete
)

// Facts is what a decision about one repository depends on.
type Facts struct {
	Namespace  string
	Visibility hub.Visibility
	Gated      hub.Gate
	Disabled   bool
	Creator    bool // the actor made it
}

// Allowed reports whether the actor has the right.
//
//	                        See   Read   Write  Admin
//	site administrator      yes   yes    yes    yes     (write and admin need a write token)
//	namespace admin         yes   yes    yes    yes
//	namespace write         yes   yes    yes    creator
//	namespace contributor   yes   yes    creator creator
//	namespace read          yes   yes    -      -
//	others, public          yes   if not gated  -  -
//	others, protected       yes   -      -      -
//	others, private         -     -      -      -
//
// A disabled repository is for site administrators alone.
func Allowed(a hub.Actor, f Facts, r Right) bool {
	if (r == Write || r == Admin) && !a.Write {
		return false
	}
	if a.Admin {
		return true
	}
	if f.Disabled {
		return false
	}
	switch a.RoleIn(f.Namespace) {
	case hub.RoleAdmin:
		return true
	case hub.RoleWrite:
		return r != Admin || f.Creator
	case hub.RoleContributor:
		return r == See || r == Read || f.Creator
	case hub.RoleRead:
		return r == See || r == Read
	}
	switch f.Visibility {
	case hub.Public:
		return r == See || r == Read && f.Gated == hub.NotGated
	case hub.Protected:
		return r == See
	}
	return false
}

// MayCreateIn reports whether the actor may make a repository in a namespace.
func MayCreateIn(a hub.Actor, namespace string) bool {
	if !a.Write {
		return false
	}
	if a.Admin {
		return true
	}
	switch a.RoleIn(namespace) {
	case hub.RoleAdmin, hub.RoleWrite, hub.RoleContributor:
		return true
	}
	return false
}
