package identity

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/pantryhub/pantry/hub"
)

// HashParams is the cost of an argon2id hash.
type HashParams struct {
	Memory  uint32 // KiB
	Time    uint32 // passes
	Threads uint8
}

// DefaultHashParams takes 25 ms and 19 MiB on the machine it was measured on.
var DefaultHashParams = HashParams{Memory: 19 * 1024, Time: 2, Threads: 1}

// Bounds of a hash, so that a forged row cannot exhaust the process.
const (
	maxHashMemory  = 256 * 1024 // KiB
	maxHashTime    = 16
	maxHashThreads = 8
	maxHashText    = 256
	minKey, maxKey = 16, 64
)

func (p HashParams) check() error {
	switch {
	case p.Threads < 1 || p.Threads > maxHashThreads,
		p.Time < 1 || p.Time > maxHashTime,
		p.Memory < 8*uint32(p.Threads) || p.Memory > maxHashMemory:
		return fmt.Errorf("identity: argon2id parameters m=%d,t=%d,p=%d are out of bounds", p.Memory, p.Time, p.Threads)
	}
	return nil
}

// passwordHash is a parsed PHC string: $argon2id$v=19$m=19456,t=2,p=1$salt$key.
type passwordHash struct {
	params    HashParams
	salt, key []byte
}

var errBadHash = errors.New("identity: malformed password hash")

func parseHash(s string) (passwordHash, error) {
	if len(s) > maxHashText {
		return passwordHash{}, errBadHash
	}
	f := strings.Split(s, "$")
	if len(f) != 6 || f[0] != "" || f[1] != "argon2id" || f[2] != "v="+strconv.Itoa(argon2.Version) {
		return passwordHash{}, errBadHash
	}
	var h passwordHash
	var err error
	if h.params, err = parseHashParams(f[3]); err != nil {
		return passwordHash{}, err
	}
	if h.salt, err = decodeHashField(f[4]); err != nil {
		return passwordHash{}, err
	}
	if h.key, err = decodeHashField(f[5]); err != nil {
		return passwordHash{}, err
	}
	return h, nil
}

func parseHashParams(s string) (HashParams, error) {
	f := strings.Split(s, ",")
	if len(f) != 3 {
		return HashParams{}, errBadHash
	}
	var n [3]uint64
	for i, prefix := range []string{"m=", "t=", "p="} {
		digits, ok := strings.CutPrefix(f[i], prefix)
		if !ok {
			return HashParams{}, errBadHash
		}
		bits := 32
		if i == 2 {
			bits = 8
		}
		v, err := strconv.ParseUint(digits, 10, bits)
		if err != nil || digits != strconv.FormatUint(v, 10) {
			return HashParams{}, errBadHash
		}
		n[i] = v
	}
	p := HashParams{Memory: uint32(n[0]), Time: uint32(n[1]), Threads: uint8(n[2])}
	return p, p.check()
}

func decodeHashField(s string) ([]byte, error) {
	b, err := base64.RawStdEncoding.Strict().DecodeString(s)
	if err != nil || strings.ContainsAny(s, "\r\n") || len(b) < minKey || len(b) > maxKey {
		return nil, errBadHash
	}
	return b, nil
}

func (h passwordHash) String() string {
	e := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		h.params.Memory, h.params.Time, h.params.Threads, e.EncodeToString(h.salt), e.EncodeToString(h.key))
}

// hasher computes password hashes, few at a time.
type hasher struct {
	params HashParams
	dummy  passwordHash  // of no password; costs what a real one costs
	slots  chan struct{} // one element per running hash
}

func newHasher(p HashParams) *hasher {
	return &hasher{
		params: p,
		dummy:  passwordHash{params: p, salt: make([]byte, 16), key: make([]byte, 32)},
		slots:  make(chan struct{}, max(2, runtime.GOMAXPROCS(0))),
	}
}

// maxHashWait is how long a sign-in waits for its turn.
const maxHashWait = 10 * time.Second

// key computes the argon2id key when a slot is free.
func (h *hasher) key(ctx context.Context, password string, of passwordHash) ([]byte, error) {
	turn := time.NewTimer(maxHashWait)
	defer turn.Stop()
	select {
	case h.slots <- struct{}{}:
	case <-turn.C:
		return nil, hub.ErrUnavailable
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-h.slots }()
	p := of.params
	return argon2.IDKey([]byte(password), of.salt, p.Time, p.Memory, p.Threads, uint32(len(of.key))), nil
}

// hash makes the hash of a new password.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	out := passwordHash{params: h.params, salt: make([]byte, 16), key: make([]byte, 32)}
	rand.Read(out.salt) // never fails (crypto/rand)
	var err error
	if out.key, err = h.key(ctx, password, out); err != nil {
		return "", err
	}
	return out.String(), nil
}

// verify reports whether a password is the hashed one, and whether the hash
// should be replaced by one with today's parameters. An empty hash matches no
// password, at the cost of one that does.
func (h *hasher) verify(ctx context.Context, password, hash string) (ok, stale bool, err error) {
	want := h.dummy
	if hash != "" {
		if want, err = parseHash(hash); err != nil {
			return false, false, err
		}
	}
	got, err := h.key(ctx, password, want)
	if err != nil {
		return false, false, err
	}
	ok = subtle.ConstantTimeCompare(got, want.key) == 1 && hash != ""
	return ok, want.params != h.params, nil
}

// Lengths of a password in bytes. There is no rule about its characters.
const (
	minPassword = 8
	maxPassword = 512
)

func checkPassword(password, name string) error {
	switch {
	case len(password) < minPassword:
		return hub.Invalidf("A password has at least %d characters.", minPassword)
	case len(password) > maxPassword:
		return hub.Invalidf("A password has at most %d bytes.", maxPassword)
	case strings.EqualFold(password, name):
		return hub.Invalidf("The password must not be the user name.")
	}
	return nil
}
