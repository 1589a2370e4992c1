package web

import (
	"strings"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/identity"
)

type deviceView struct {
	Form    form
	Code    string
	App     string   // who asks; "" as long as there is no good code
	Rights  []string // what it will be able to do
	Decided string   // "approved" or "denied"
}

// showDevice asks for the code that a device shows, then whether to let it in.
func (s *Server) showDevice(v *visit) error {
	code := strings.TrimSpace(v.form.Or("user_code", v.r.URL.Query().Get("user_code")))
	view := deviceView{Code: code}
	if code != "" && v.form.Error == "" {
		d, err := s.identity.DeviceByUserCode(v.r.Context(), v.actor, code)
		if err != nil && !v.refuse(err) {
			return err
		}
		if err == nil {
			view.Code, view.App, view.Rights = d.UserCode, identity.ClientName(d.ClientID), rightsOf(d)
		}
	}
	view.Form = v.form
	return s.showForm(v, "device", "Connect a device", view)
}

// decideDevice lets a device in or turns it away.
func (s *Server) decideDevice(v *visit) error {
	code, ctx := v.form.Get("user_code"), v.r.Context()
	view := deviceView{}
	var err error
	switch v.form.Get("decision") {
	case "approve":
		view.Decided, err = "approved", s.identity.ApproveDevice(ctx, v.actor, code)
	case "deny":
		view.Decided, err = "denied", s.identity.DenyDevice(ctx, v.actor, code)
	default:
		err = hub.Invalidf("Choose whether to connect the device.")
	}
	if v.refuse(err) {
		return s.showDevice(v)
	}
	if err != nil {
		return err
	}
	return s.showForm(v, "device", "Connect a device", view)
}

// rightsOf says what a device will be able to do.
func rightsOf(d identity.Device) []string {
	rights := []string{"See your user name, full name and email address", "Read everything that you can read, also private repositories"}
	if d.Role == hub.TokenWrite {
		rights = append(rights, "Create, change and delete repositories that you can write to")
	}
	return rights
}
