package authz

import (
	"testing"

	"github.com/pantryhub/pantry/hub"
)

func TestAllowed(t *testing.T) {
	actor := func(role hub.Role) hub.Actor {
		return hub.Actor{ID: 1, Name: "ada", Write: true, Orgs: map[string]hub.Role{"lab": role}}
	}
	readToken := actor(hub.RoleAdmin)
	readToken.Write = false
	admin := hub.Actor{ID: 2, Name: "root", Admin: true, Write: true}
	public := Facts{Namespace: "Lab", Visibility: hub.Public}
	private := Facts{Namespace: "Lab", Visibility: hub.Private}
	protected := Facts{Namespace: "Lab", Visibility: hub.Protected}
	gated := Facts{Namespace: "Lab", Visibility: hub.Public, Gated: hub.GateManual}
	mine := Facts{Namespace: "Lab", Visibility: hub.Private, Creator: true}
	disabled := Facts{Namespace: "Lab", Visibility: hub.Public, Disabled: true}
	stranger := hub.Actor{ID: 3, Name: "eve", Write: true}

	tests := []struct {
		name  string
		actor hub.Actor
		facts Facts
		want  string // of "srwa"
	}{
		{"anonymous, public", hub.Actor{}, public, "sr"},
		{"anonymous, private", hub.Actor{}, private, ""},
		{"anonymous, gated", hub.Actor{}, gated, "s"},
		{"anonymous, protected", hub.Actor{}, protected, "s"},
		{"stranger, public", stranger, public, "sr"},
		{"stranger, private", stranger, private, ""},
		{"stranger, gated", stranger, gated, "s"},
		{"stranger, disabled", stranger, disabled, ""},
		{"owner of the name", hub.Actor{ID: 4, Name: "LAB", Write: true}, private, "srwa"},
		{"member reading", actor(hub.RoleRead), private, "sr"},
		{"member reading, gated", actor(hub.RoleRead), gated, "sr"},
		{"contributor", actor(hub.RoleContributor), private, "sr"},
		{"contributor, own", actor(hub.RoleContributor), mine, "srwa"},
		{"writer", actor(hub.RoleWrite), private, "srw"},
		{"writer, own", actor(hub.RoleWrite), mine, "srwa"},
		{"org admin", actor(hub.RoleAdmin), private, "srwa"},
		{"org admin, disabled", actor(hub.RoleAdmin), disabled, ""},
		{"org admin with a read token", readToken, private, "sr"},
		{"site admin", admin, private, "srwa"},
		{"site admin, disabled", admin, disabled, "srwa"},
	}
	for _, tt := range tests {
		got := ""
		for i, r := range []Right{See, Read, Write, Admin} {
			if Allowed(tt.actor, tt.facts, r) {
				got += "srwa"[i : i+1]
			}
		}
		if got != tt.want {
			t.Errorf("%s: rights %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestMayCreateIn(t *testing.T) {
	a := hub.Actor{ID: 1, Name: "ada", Write: true, Orgs: map[string]hub.Role{"lab": hub.RoleContributor, "club": hub.RoleRead}}
	for ns, want := range map[string]bool{"ada": true, "ADA": true, "Lab": true, "club": false, "other": false} {
		if got := MayCreateIn(a, ns); got != want {
			t.Errorf("MayCreateIn(ada, %s) = %v, want %v", ns, got, want)
		}
	}
	a.Write = false
	if MayCreateIn(a, "ada") {
		t.Error("a read token may create")
	}
}
