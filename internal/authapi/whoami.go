package authapi

import (
	"net/http"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/internal/httpx"
	"github.com/pantryhub/pantry/internal/identity"
)

// whoAmI is the answer of GET /api/whoami-v2. Clients need name, and orgs to
// be a list.
type whoAmI struct {
	Type          hub.AccountKind `json:"type"`
	ID            string          `json:"id"`
	Name          string          `json:"name"`
	FullName      string          `json:"fullname"`
	Email         string          `json:"email,omitempty"`
	EmailVerified bool            `json:"emailVerified"`
	CanPay        bool            `json:"canPay"`
	BillingMode   string          `json:"billingMode"`
	PeriodEnd     *api.Time       `json:"periodEnd"`
	IsPro         bool            `json:"isPro"`
	AvatarURL     string          `json:"avatarUrl"`
	Orgs          []whoAmIOrg     `json:"orgs"`
	Auth          whoAmIAuth      `json:"auth"`
}

type whoAmIOrg struct {
	Type         hub.AccountKind `json:"type"`
	ID           string          `json:"id"`
	Name         string          `json:"name"`
	FullName     string          `json:"fullname"`
	Email        *string         `json:"email"`
	CanPay       bool            `json:"canPay"`
	PeriodEnd    *api.Time       `json:"periodEnd"`
	AvatarURL    string          `json:"avatarUrl"`
	RoleInOrg    hub.Role        `json:"roleInOrg"`
	IsEnterprise bool            `json:"isEnterprise"`
}

type whoAmIAuth struct {
	Type        string       `json:"type"`
	AccessToken *whoAmIToken `json:"accessToken,omitempty"`
	ExpiresAt   *api.Time    `json:"expiresAt,omitempty"`
}

type whoAmIToken struct {
	DisplayName string        `json:"displayName"`
	Role        hub.TokenRole `json:"role"`
	CreatedAt   api.Time      `json:"createdAt"`
}

func (a *API) whoAmI(w http.ResponseWriter, r *http.Request) error {
	g, err := a.auth.Grant(r)
	if err != nil {
		return err
	}
	if g.Actor.IsAnonymous() {
		return hub.ErrUnauthenticated
	}
	account, err := a.identity.AccountByID(r.Context(), g.Actor.ID)
	if err != nil {
		return err
	}
	orgs, err := a.identity.OrgsOf(r.Context(), account.ID)
	if err != nil {
		return err
	}
	return httpx.JSON(w, http.StatusOK, whoAmI{
		Type: account.Kind, ID: api.WireID(account.ID, account.CreatedAt), Name: account.Name,
		FullName: account.FullName, Email: account.Email, BillingMode: "prepaid",
		AvatarURL: a.avatarURL(r, account.Name), Orgs: a.wireOrgs(r, orgs), Auth: wireAuth(g.Token),
	})
}

func (a *API) wireOrgs(r *http.Request, orgs []identity.Membership) []whoAmIOrg {
	out := make([]whoAmIOrg, len(orgs))
	for i, m := range orgs {
		out[i] = whoAmIOrg{
			Type: m.Org.Kind, ID: api.WireID(m.Org.ID, m.Org.CreatedAt), Name: m.Org.Name,
			FullName: m.Org.FullName, AvatarURL: a.avatarURL(r, m.Org.Name), RoleInOrg: m.Role,
		}
	}
	return out
}

func wireAuth(t identity.Token) whoAmIAuth {
	if t == (identity.Token{}) {
		return whoAmIAuth{Type: "session"}
	}
	auth := whoAmIAuth{
		Type:        "access_token",
		AccessToken: &whoAmIToken{DisplayName: t.Name, Role: t.Role, CreatedAt: api.Time(t.CreatedAt)},
	}
	if t.Kind == identity.OAuthToken {
		auth.Type = "oauth"
	}
	if !t.ExpiresAt.IsZero() {
		expires := api.Time(t.ExpiresAt)
		auth.ExpiresAt = &expires
	}
	return auth
}
