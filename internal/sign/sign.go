// Package sign makes and checks the short-lived signed values that travel
// through clients: Xet access tokens, fetch URLs, LFS upload URLs, page
// cursors. A value is bound to a purpose, so that one kind can never be used
// as another, and to an expiry. It imports only the standard library.
package sign

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"
)

// Errors of Open. A malformed or forged value is ErrBad; a genuine one past
// its time is ErrExpired.
var (
	ErrBad     = errors.New("sign: bad signature")
	ErrExpired = errors.New("sign: expired")
)

// Key signs with HMAC-SHA256. All replicas of a hub share one.
type Key struct{ secret []byte }

// NewKey makes a key of at least 32 secret bytes.
func NewKey(secret []byte) (Key, error) {
	if len(secret) < 32 {
		return Key{}, errors.New("sign: the secret is shorter than 32 bytes")
	}
	return Key{secret: secret}, nil
}

const (
	macSize    = 20 // 160 bits of the HMAC are kept: beyond forging, shorter URLs
	expirySize = 8
)

// Seal returns payload, expiry and signature as one URL-safe string. The
// payload is readable by whoever holds the value; it cannot be changed.
func (k Key) Seal(purpose string, payload []byte, expires time.Time) string {
	body := binary.BigEndian.AppendUint64(nil, uint64(expires.Unix()))
	body = append(body, payload...)
	return base64.RawURLEncoding.EncodeToString(append(body, k.mac(purpose, body)...))
}

// Open checks a value sealed for the same purpose and returns its payload.
func (k Key) Open(purpose, value string, now time.Time) ([]byte, error) {
	raw, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || len(raw) < expirySize+macSize {
		return nil, ErrBad
	}
	body, mac := raw[:len(raw)-macSize], raw[len(raw)-macSize:]
	if !hmac.Equal(mac, k.mac(purpose, body)) {
		return nil, ErrBad
	}
	if now.Unix() >= int64(binary.BigEndian.Uint64(body)) {
		return nil, ErrExpired
	}
	return body[expirySize:], nil
}

func (k Key) mac(purpose string, body []byte) []byte {
	h := hmac.New(sha256.New, k.secret)
	h.Write([]byte(purpose))
	h.Write([]byte{0})
	h.Write(body)
	return h.Sum(nil)[:macSize]
}
