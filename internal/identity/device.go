package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/store"
)

// Times of the device flow (RFC 8628).
const (
	DeviceLifetime = 15 * time.Minute
	DevicePoll     = 5 * time.Second

	slowDown = 5 * time.Second // added to the interval of a client that polls too fast
	pollSlop = time.Second     // how much too early a poll may arrive
)

// userCodeLetters leaves out vowels, so that codes spell no words, and Y.
const userCodeLetters = "BCDFGHJKLMNPQRSTVWXZ"

const userCodeLength = 8

// Device is a device that waits for its user to approve it.
type Device struct {
	UserCode  string // XXXX-XXXX
	ClientID  string
	Scope     string
	Role      hub.TokenRole // what the scope amounts to
	ExpiresAt time.Time
}

func deviceOf(d store.DeviceGrant) Device {
	return Device{UserCode: d.UserCode, ClientID: d.ClientID, Scope: d.Scope, Role: scopeRole(d.Scope), ExpiresAt: d.ExpiresAt}
}

// StartDevice begins a login by the device flow for a client at address. The
// device keeps the device code to itself and shows the user code.
func (s *Service) StartDevice(ctx context.Context, clientID, scope, address string) (deviceCode string, d Device, err error) {
	if err := checkClient(clientID, scope); err != nil {
		return "", Device{}, err
	}
	now := s.now()
	if err := s.deviceStarts.Take(addressKey(address), now).Err(); err != nil {
		return "", Device{}, err
	}
	deviceCode, hash := newSecret()
	row := store.DeviceGrant{
		Hash: hash, ClientID: clientID, Scope: scope, CreatedAt: now, ExpiresAt: now.Add(DeviceLifetime), PollEvery: DevicePoll,
	}
	for range 3 { // one of 2.5e10 codes is in use at times
		code := randomText(userCodeLetters, userCodeLength)
		row.UserCode = code[:4] + "-" + code[4:]
		err = s.db.Update(ctx, func(q *store.Q) error { return q.InsertDevice(ctx, row) })
		if !errors.Is(err, store.ErrConflict) {
			break
		}
	}
	if err != nil {
		return "", Device{}, err
	}
	return deviceCode, deviceOf(row), nil
}

// PollDevice answers a device that asks whether it was approved: with tokens,
// once, or with an *OAuthError.
func (s *Service) PollDevice(ctx context.Context, deviceCode, clientID string) (OAuthTokens, error) {
	var tokens OAuthTokens
	var answer error // kept apart: it must not undo the transaction
	err := s.db.Update(ctx, func(q *store.Q) error {
		tokens, answer = OAuthTokens{}, nil
		d, err := q.LockDevice(ctx, hashSecret(deviceCode))
		switch {
		case errors.Is(err, store.ErrNotFound):
			answer = oauthError(InvalidGrant, "The device code is unknown.")
			return nil
		case err != nil:
			return err
		}
		if answer = s.deviceAnswer(d, clientID); answer == nil {
			tokens, err = s.useDevice(ctx, q, d)
			return err
		}
		return s.notePoll(ctx, q, d, answer)
	})
	if err != nil {
		return OAuthTokens{}, err
	}
	return tokens, answer
}

// deviceAnswer says why a device gets no tokens, nil if it does.
func (s *Service) deviceAnswer(d store.DeviceGrant, clientID string) error {
	now := s.now()
	switch {
	case d.ClientID != clientID:
		return oauthError(InvalidGrant, "The device code belongs to another client.")
	case d.State == store.DeviceUsed:
		return oauthError(InvalidGrant, "The device code has been used.")
	case !now.Before(d.ExpiresAt):
		return oauthError(ExpiredToken, "The device code has expired.")
	case d.State == store.DeviceDenied:
		return oauthError(AccessDenied, "The login was denied.")
	case d.State == store.DeviceApproved:
		return nil
	case now.Before(d.LastPollAt.Add(d.PollEvery - pollSlop)):
		return oauthError(SlowDown, "Polling too fast.")
	}
	return oauthError(AuthorizationPending, "The login waits for approval in the browser.")
}

// notePoll records a poll that changed nothing else.
func (s *Service) notePoll(ctx context.Context, q *store.Q, d store.DeviceGrant, answer error) error {
	if d.State != store.DevicePending {
		return nil
	}
	every := d.PollEvery
	var e *OAuthError
	if errors.As(answer, &e) && e.Code == SlowDown {
		every += slowDown
	}
	return q.PollDevice(ctx, d.Hash, s.now(), every)
}

func (s *Service) useDevice(ctx context.Context, q *store.Q, d store.DeviceGrant) (OAuthTokens, error) {
	switch ok, err := q.UseDevice(ctx, d.Hash); {
	case err != nil:
		return OAuthTokens{}, err
	case !ok:
		return OAuthTokens{}, fmt.Errorf("device grant of %s changed while it was locked", d.ClientID)
	}
	a, err := q.AccountByID(ctx, d.AccountID)
	if err != nil {
		return OAuthTokens{}, err
	}
	return s.issue(ctx, q, store.AccessToken{
		AccountID: a.ID,
		// The name under which older clients file the token; newer ones make
		// up the same.
		Name:     "oauth-" + a.Name,
		ClientID: d.ClientID,
		Scope:    d.Scope,
		Role:     scopeRole(d.Scope),
	})
}

// DeviceByUserCode returns the pending device whose code a user typed. Codes
// are matched without regard to case, spaces and dashes.
func (s *Service) DeviceByUserCode(ctx context.Context, actor hub.Actor, userCode string) (Device, error) {
	code, err := s.userCode(actor, userCode)
	if err != nil {
		return Device{}, err
	}
	d, err := s.db.Read().PendingDevice(ctx, code, s.now())
	if errors.Is(err, store.ErrNotFound) {
		return Device{}, errBadUserCode
	}
	if err != nil {
		return Device{}, err
	}
	return deviceOf(d), nil
}

// ApproveDevice signs the device in as actor.
func (s *Service) ApproveDevice(ctx context.Context, actor hub.Actor, userCode string) error {
	return s.decide(ctx, actor, userCode, store.DeviceApproved)
}

// DenyDevice refuses the device.
func (s *Service) DenyDevice(ctx context.Context, actor hub.Actor, userCode string) error {
	return s.decide(ctx, actor, userCode, store.DeviceDenied)
}

func (s *Service) decide(ctx context.Context, actor hub.Actor, userCode string, to store.DeviceState) error {
	code, err := s.userCode(actor, userCode)
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(q *store.Q) error {
		ok, err := q.DecideDevice(ctx, code, to, actor.ID, s.now())
		if err == nil && !ok {
			return errBadUserCode
		}
		return err
	})
}

var errBadUserCode = hub.Errorf(hub.CodeNotFound, "This code is wrong or has expired. Check it on your device, or start again there.")

// userCode checks who types a code, how often, and its form.
func (s *Service) userCode(actor hub.Actor, typed string) (string, error) {
	if actor.IsAnonymous() || !actor.Write {
		return "", hub.ErrForbidden // a read token must not make itself a write token
	}
	if err := s.userCodes.Take(fmt.Sprint(actor.ID), s.now()).Err(); err != nil {
		return "", err
	}
	code, ok := normalUserCode(typed)
	if !ok {
		return "", errBadUserCode
	}
	return code, nil
}

// normalUserCode brings a code as people type it into the form XXXX-XXXX.
func normalUserCode(typed string) (string, bool) {
	if len(typed) > 64 {
		return "", false
	}
	code := strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(typed))
	if len(code) != userCodeLength || strings.Trim(code, userCodeLetters) != "" {
		return "", false
	}
	return code[:4] + "-" + code[4:], true
}
