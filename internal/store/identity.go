package store

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/pantryhub/pantry/hub"
)

// SecretHash is the SHA-256 of a secret that the hub handed out and does not
// keep. The zero value stands for no secret.
type SecretHash [32]byte

// null is the hash as a column value, NULL for none.
func (h SecretHash) null() any {
	if h == (SecretHash{}) {
		return nil
	}
	return h[:]
}

// Membership is an account's role in an organization.
type Membership struct {
	Org  hub.Account
	Role hub.Role
}

const accountColumns = `a.id, a.name, a.kind, a.full_name, a.email, a.admin, a.created_at`

func accountFields(a *hub.Account, created *int64) []any {
	return []any{&a.ID, &a.Name, &a.Kind, &a.FullName, &a.Email, &a.Admin, created}
}

func scanAccount(scan func(...any) error) (hub.Account, error) {
	var a hub.Account
	var created int64
	err := scan(accountFields(&a, &created)...)
	a.CreatedAt = fromMicros(created)
	return a, err
}

// InsertAccount adds an account. A name or email that is taken is ErrConflict.
func (q *Q) InsertAccount(ctx context.Context, a hub.Account, passwordHash string) error {
	_, err := q.exec(ctx, "insert account", `
		INSERT INTO account (id, name, name_key, kind, full_name, email, email_key, password_hash, admin, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		a.ID, a.Name, strings.ToLower(a.Name), string(a.Kind), a.FullName, a.Email, strings.ToLower(a.Email),
		passwordHash, a.Admin, micros(a.CreatedAt))
	return err
}

// HasAccounts reports whether there is any account.
func (q *Q) HasAccounts(ctx context.Context) (bool, error) {
	return one(ctx, q, "has accounts", value[bool], `SELECT EXISTS (SELECT 1 FROM account)`)
}

// AccountByName returns a user or organization, whatever the case of name.
func (q *Q) AccountByName(ctx context.Context, name string) (hub.Account, error) {
	return one(ctx, q, "account by name", scanAccount,
		`SELECT `+accountColumns+` FROM account a WHERE a.name_key = $1`, strings.ToLower(name))
}

// AccountByID returns a user or organization.
func (q *Q) AccountByID(ctx context.Context, id int64) (hub.Account, error) {
	return one(ctx, q, "account by id", scanAccount,
		`SELECT `+accountColumns+` FROM account a WHERE a.id = $1`, id)
}

// Login is an account with what opens it.
type Login struct {
	hub.Account
	PasswordHash string // "" when no password does
}

func scanLogin(scan func(...any) error) (Login, error) {
	var l Login
	var created int64
	err := scan(append(accountFields(&l.Account, &created), &l.PasswordHash)...)
	l.CreatedAt = fromMicros(created)
	return l, err
}

// LoginByID returns a user's login.
func (q *Q) LoginByID(ctx context.Context, id int64) (Login, error) {
	return one(ctx, q, "login by id", scanLogin,
		`SELECT `+accountColumns+`, a.password_hash FROM account a WHERE a.id = $1 AND a.kind = 'user'`, id)
}

// LoginByName returns the login of the user with that name.
func (q *Q) LoginByName(ctx context.Context, name string) (Login, error) {
	return one(ctx, q, "login by name", scanLogin,
		`SELECT `+accountColumns+`, a.password_hash FROM account a WHERE a.name_key = $1 AND a.kind = 'user'`,
		strings.ToLower(name))
}

// LoginByEmail returns the login of the user with that email address.
func (q *Q) LoginByEmail(ctx context.Context, email string) (Login, error) {
	return one(ctx, q, "login by email", scanLogin,
		`SELECT `+accountColumns+`, a.password_hash FROM account a WHERE a.email_key = $1 AND a.email_key <> '' AND a.kind = 'user'`,
		strings.ToLower(email))
}

// ReplacePassword sets a user's password hash if it is still the old one, and
// reports whether it was.
func (q *Q) ReplacePassword(ctx context.Context, id int64, old, hash string) (bool, error) {
	n, err := q.exec(ctx, "replace password",
		`UPDATE account SET password_hash = $1 WHERE id = $2 AND password_hash = $3`, hash, id, old)
	return n == 1, err
}

// SetPassword sets a user's password hash.
func (q *Q) SetPassword(ctx context.Context, id int64, hash string) error {
	_, err := q.exec(ctx, "set password", `UPDATE account SET password_hash = $1 WHERE id = $2`, hash, id)
	return err
}

// PutMember makes an account a member of an organization, or changes its role.
func (q *Q) PutMember(ctx context.Context, orgID, accountID int64, role hub.Role) error {
	_, err := q.exec(ctx, "put member", `
		INSERT INTO membership (account_id, org_id, role) VALUES ($1, $2, $3)
		ON CONFLICT (account_id, org_id) DO UPDATE SET role = EXCLUDED.role`, accountID, orgID, string(role))
	return err
}

// Memberships returns the organizations of an account by name.
func (q *Q) Memberships(ctx context.Context, accountID int64) ([]Membership, error) {
	return all(ctx, q, "memberships", func(scan func(...any) error) (Membership, error) {
		var m Membership
		var created int64
		err := scan(append(accountFields(&m.Org, &created), &m.Role)...)
		m.Org.CreatedAt = fromMicros(created)
		return m, err
	}, `SELECT `+accountColumns+`, m.role FROM membership m JOIN account a ON a.id = m.org_id
		WHERE m.account_id = $1 ORDER BY a.name_key`, accountID)
}

// TokenKind says how an access token came to be.
type TokenKind string

// The kinds of access token.
const (
	PersonalToken TokenKind = "personal" // made by its user, by hand
	OAuthToken    TokenKind = "oauth"    // given to an app that the user approved
)

// AccessToken is a row of access_token.
type AccessToken struct {
	ID         int64
	GrantID    int64 // the same for all tokens of one OAuth grant; ID otherwise
	AccountID  int64
	Kind       TokenKind
	Name       string
	Role       hub.TokenRole
	Hash       SecretHash // written, never read back
	Hint       string
	CreatedAt  time.Time
	LastUsedAt time.Time // zero: never
	ExpiresAt  time.Time // zero: never
	ClientID   string    // OAuth only, like the rest
	Scope      string

	RefreshHash      SecretHash // written, never read back
	RefreshExpiresAt time.Time
	RefreshUsedAt    time.Time // zero while the refresh token is good
}

const tokenColumns = `t.id, t.grant_id, t.account_id, t.kind, t.name, t.role, t.hint, t.created_at, t.last_used_at,
	t.expires_at, t.client_id, t.scope, t.refresh_expires_at, t.refresh_used_at`

// tokenRow holds the columns of a token whose form differs in the database.
type tokenRow struct {
	AccessToken
	created, used, expires, refreshExpires, refreshUsed int64
}

func (t *tokenRow) fields() []any {
	return []any{&t.ID, &t.GrantID, &t.AccountID, &t.Kind, &t.Name, &t.Role, &t.Hint, &t.created, &t.used,
		&t.expires, &t.ClientID, &t.Scope, &t.refreshExpires, &t.refreshUsed}
}

func (t *tokenRow) token() AccessToken {
	t.CreatedAt, t.LastUsedAt, t.ExpiresAt = fromMicros(t.created), fromMicros(t.used), fromMicros(t.expires)
	t.RefreshExpiresAt, t.RefreshUsedAt = fromMicros(t.refreshExpires), fromMicros(t.refreshUsed)
	return t.AccessToken
}

func scanToken(scan func(...any) error) (AccessToken, error) {
	var t tokenRow
	err := scan(t.fields()...)
	return t.token(), err
}

// InsertToken adds an access token.
func (q *Q) InsertToken(ctx context.Context, t AccessToken) error {
	_, err := q.exec(ctx, "insert token", `
		INSERT INTO access_token (id, grant_id, account_id, kind, name, role, hash, hint, created_at, last_used_at,
			expires_at, client_id, scope, refresh_hash, refresh_expires_at, refresh_used_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $11, $12, $13, $14, 0)`,
		t.ID, t.GrantID, t.AccountID, string(t.Kind), t.Name, string(t.Role), t.Hash[:], t.Hint, micros(t.CreatedAt),
		micros(t.ExpiresAt), t.ClientID, t.Scope, t.RefreshHash.null(), micros(t.RefreshExpiresAt))
	return err
}

// Tokens returns an account's access tokens, newest first, without those that
// an OAuth refresh replaced.
func (q *Q) Tokens(ctx context.Context, accountID int64) ([]AccessToken, error) {
	return all(ctx, q, "tokens", scanToken, `
		SELECT `+tokenColumns+` FROM access_token t
		WHERE t.account_id = $1 AND t.refresh_used_at = 0 ORDER BY t.created_at DESC, t.id DESC`, accountID)
}

// DeleteGrant deletes the access tokens of one grant and returns how many.
func (q *Q) DeleteGrant(ctx context.Context, accountID, grantID int64) (int64, error) {
	return q.exec(ctx, "delete grant",
		`DELETE FROM access_token WHERE account_id = $1 AND grant_id = $2`, accountID, grantID)
}

// UseRefresh retires a good refresh token and returns the access token that it
// belongs to. Of several callers one gets it, the others ErrNotFound.
func (q *Q) UseRefresh(ctx context.Context, refresh SecretHash, clientID string, now time.Time) (AccessToken, error) {
	return one(ctx, q, "use refresh token", scanToken, `
		UPDATE access_token AS t SET refresh_used_at = $1
		WHERE t.refresh_hash = $2 AND t.client_id = $3 AND t.refresh_used_at = 0 AND t.refresh_expires_at > $1
		RETURNING `+strings.ReplaceAll(tokenColumns, "t.", ""), micros(now), refresh[:], clientID)
}

// TokenByRefresh returns the access token that a refresh token belongs to,
// good or retired.
func (q *Q) TokenByRefresh(ctx context.Context, refresh SecretHash) (AccessToken, error) {
	return one(ctx, q, "token by refresh token", scanToken,
		`SELECT `+tokenColumns+` FROM access_token t WHERE t.refresh_hash = $1`, refresh[:])
}

// actorJoin brings an account and its memberships, one row for each.
const (
	actorColumns = `a.id, a.name, a.full_name, a.email, a.admin, o.name_key, m.role`
	actorJoin    = ` JOIN account a ON a.id = t.account_id
		LEFT JOIN membership m ON m.account_id = a.id LEFT JOIN account o ON o.id = m.org_id `
)

// actorRow reads actorColumns into an actor, adding one membership a row.
type actorRow struct {
	hub.Actor
	org, role sql.NullString
}

func (r *actorRow) fields() []any {
	return []any{&r.ID, &r.Name, &r.FullName, &r.Email, &r.Admin, &r.org, &r.role}
}

func (r *actorRow) addOrg() {
	if !r.org.Valid {
		return
	}
	if r.Orgs == nil {
		r.Orgs = make(map[string]hub.Role)
	}
	r.Orgs[r.org.String] = hub.Role(r.role.String)
}

// TokenActor returns an access token and its account with all memberships, in
// one query. The token may have expired.
func (q *Q) TokenActor(ctx context.Context, hash SecretHash) (AccessToken, hub.Actor, error) {
	var t tokenRow
	var a actorRow
	dest := append(t.fields(), a.fields()...)
	for _, err := range each(ctx, q, "token actor", func(scan func(...any) error) (struct{}, error) {
		return struct{}{}, scan(dest...)
	}, `SELECT `+tokenColumns+`, `+actorColumns+` FROM access_token t`+actorJoin+`WHERE t.hash = $1`, hash[:]) {
		if err != nil {
			return AccessToken{}, hub.Actor{}, err
		}
		a.addOrg()
	}
	if t.ID == 0 {
		return AccessToken{}, hub.Actor{}, ErrNotFound
	}
	return t.token(), a.Actor, nil
}

// TouchTokens notes that access tokens were used.
func (q *Q) TouchTokens(ctx context.Context, ids []int64, at time.Time) error {
	for len(ids) > 0 {
		n := min(len(ids), batch)
		args := []any{micros(at)}
		for _, id := range ids[:n] {
			args = append(args, id)
		}
		if _, err := q.exec(ctx, "touch tokens", `
			UPDATE access_token SET last_used_at = $1 WHERE id IN (`+placeholders(2, n)+`) AND last_used_at < $1`,
			args...); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

// Session is a browser that signed in.
type Session struct {
	Hash       SecretHash
	AccountID  int64
	CreatedAt  time.Time
	ExpiresAt  time.Time
	LastSeenAt time.Time
	UserAgent  string
}

// InsertSession adds a session.
func (q *Q) InsertSession(ctx context.Context, s Session) error {
	_, err := q.exec(ctx, "insert session", `
		INSERT INTO session (hash, account_id, created_at, expires_at, last_seen_at, user_agent)
		VALUES ($1, $2, $3, $4, $3, $5)`,
		s.Hash[:], s.AccountID, micros(s.CreatedAt), micros(s.ExpiresAt), s.UserAgent)
	return err
}

// SessionActor returns a session that has not expired, and its account with
// all memberships.
func (q *Q) SessionActor(ctx context.Context, hash SecretHash, now time.Time) (Session, hub.Actor, error) {
	s := Session{Hash: hash}
	var created, expires, seen int64
	var a actorRow
	dest := append([]any{&s.AccountID, &created, &expires, &seen, &s.UserAgent}, a.fields()...)
	for _, err := range each(ctx, q, "session actor", func(scan func(...any) error) (struct{}, error) {
		return struct{}{}, scan(dest...)
	}, `SELECT t.account_id, t.created_at, t.expires_at, t.last_seen_at, t.user_agent, `+actorColumns+`
		FROM session t`+actorJoin+`WHERE t.hash = $1 AND t.expires_at > $2`, hash[:], micros(now)) {
		if err != nil {
			return Session{}, hub.Actor{}, err
		}
		a.addOrg()
	}
	if s.AccountID == 0 {
		return Session{}, hub.Actor{}, ErrNotFound
	}
	s.CreatedAt, s.ExpiresAt, s.LastSeenAt = fromMicros(created), fromMicros(expires), fromMicros(seen)
	return s, a.Actor, nil
}

// TouchSessions notes that sessions were seen.
func (q *Q) TouchSessions(ctx context.Context, hashes []SecretHash, at time.Time) error {
	for len(hashes) > 0 {
		n := min(len(hashes), batch)
		args := []any{micros(at)}
		for _, h := range hashes[:n] {
			args = append(args, h[:])
		}
		if _, err := q.exec(ctx, "touch sessions", `
			UPDATE session SET last_seen_at = $1 WHERE hash IN (`+placeholders(2, n)+`) AND last_seen_at < $1`,
			args...); err != nil {
			return err
		}
		hashes = hashes[n:]
	}
	return nil
}

// DeleteSession ends a session, if there is one.
func (q *Q) DeleteSession(ctx context.Context, hash SecretHash) error {
	_, err := q.exec(ctx, "delete session", `DELETE FROM session WHERE hash = $1`, hash[:])
	return err
}

// DeleteSessions ends all sessions of an account.
func (q *Q) DeleteSessions(ctx context.Context, accountID int64) error {
	_, err := q.exec(ctx, "delete sessions", `DELETE FROM session WHERE account_id = $1`, accountID)
	return err
}

// DeviceState is how far a login by the device flow has come.
type DeviceState string

// The states. From pending a grant goes to denied, or to approved and used.
const (
	DevicePending  DeviceState = "pending"
	DeviceApproved DeviceState = "approved"
	DeviceDenied   DeviceState = "denied"
	DeviceUsed     DeviceState = "used"
)

// DeviceGrant is a login by the device flow.
type DeviceGrant struct {
	Hash       SecretHash // of the device code
	UserCode   string
	ClientID   string
	Scope      string
	State      DeviceState
	AccountID  int64
	CreatedAt  time.Time
	ExpiresAt  time.Time
	PollEvery  time.Duration
	LastPollAt time.Time
}

const deviceColumns = `device_hash, user_code, client_id, scope, state, account_id, created_at, expires_at, poll_every, last_poll_at`

func scanDevice(scan func(...any) error) (DeviceGrant, error) {
	var d DeviceGrant
	var hash []byte
	var created, expires, every, last int64
	if err := scan(&hash, &d.UserCode, &d.ClientID, &d.Scope, &d.State, &d.AccountID, &created, &expires, &every, &last); err != nil {
		return DeviceGrant{}, err
	}
	d.CreatedAt, d.ExpiresAt, d.LastPollAt = fromMicros(created), fromMicros(expires), fromMicros(last)
	d.PollEvery = time.Duration(every) * time.Microsecond
	return d, copyHash(d.Hash[:], hash, "device_hash")
}

// InsertDevice adds a device grant. A user code that is taken is ErrConflict.
func (q *Q) InsertDevice(ctx context.Context, d DeviceGrant) error {
	_, err := q.exec(ctx, "insert device grant", `
		INSERT INTO device_grant (`+deviceColumns+`) VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $8, 0)`,
		d.Hash[:], d.UserCode, d.ClientID, d.Scope, string(DevicePending), micros(d.CreatedAt), micros(d.ExpiresAt),
		d.PollEvery.Microseconds())
	return err
}

// PendingDevice returns the grant that waits for a user code.
func (q *Q) PendingDevice(ctx context.Context, userCode string, now time.Time) (DeviceGrant, error) {
	return one(ctx, q, "pending device grant", scanDevice, `
		SELECT `+deviceColumns+` FROM device_grant WHERE user_code = $1 AND state = 'pending' AND expires_at > $2`,
		userCode, micros(now))
}

// LockDevice returns the grant of a device code and keeps others from changing
// it until the transaction ends.
func (q *Q) LockDevice(ctx context.Context, hash SecretHash) (DeviceGrant, error) {
	return one(ctx, q, "lock device grant", scanDevice,
		`SELECT `+deviceColumns+` FROM device_grant WHERE device_hash = $1`+q.dialect.forUpdate(), hash[:])
}

// PollDevice notes a poll and from now on the interval between polls.
func (q *Q) PollDevice(ctx context.Context, hash SecretHash, at time.Time, every time.Duration) error {
	_, err := q.exec(ctx, "poll device grant",
		`UPDATE device_grant SET last_poll_at = $1, poll_every = $2 WHERE device_hash = $3`,
		micros(at), every.Microseconds(), hash[:])
	return err
}

// DecideDevice moves a pending grant to approved or denied in the name of an
// account, and reports whether it was pending.
func (q *Q) DecideDevice(ctx context.Context, userCode string, to DeviceState, accountID int64, now time.Time) (bool, error) {
	n, err := q.exec(ctx, "decide device grant", `
		UPDATE device_grant SET state = $1, account_id = $2
		WHERE user_code = $3 AND state = 'pending' AND expires_at > $4`,
		string(to), accountID, userCode, micros(now))
	return n == 1, err
}

// UseDevice moves an approved grant to used, and reports whether it was
// approved.
func (q *Q) UseDevice(ctx context.Context, hash SecretHash) (bool, error) {
	n, err := q.exec(ctx, "use device grant",
		`UPDATE device_grant SET state = 'used' WHERE device_hash = $1 AND state = 'approved'`, hash[:])
	return n == 1, err
}

// OneTime is a link that works once.
type OneTime struct {
	Hash      SecretHash
	Purpose   string
	AccountID int64
	ExpiresAt time.Time
}

// InsertOneTime adds a one-time link.
func (q *Q) InsertOneTime(ctx context.Context, o OneTime) error {
	_, err := q.exec(ctx, "insert one-time link", `
		INSERT INTO one_time (hash, purpose, account_id, expires_at, used_at) VALUES ($1, $2, $3, $4, 0)`,
		o.Hash[:], o.Purpose, o.AccountID, micros(o.ExpiresAt))
	return err
}

// GoodOneTime returns the account of a one-time link that was not used and has
// not expired.
func (q *Q) GoodOneTime(ctx context.Context, hash SecretHash, purpose string, now time.Time) (int64, error) {
	return one(ctx, q, "good one-time link", value[int64], `
		SELECT account_id FROM one_time WHERE hash = $1 AND purpose = $2 AND used_at = 0 AND expires_at > $3`,
		hash[:], purpose, micros(now))
}

// UseOneTimes uses up every good link with a purpose for an account, and
// reports whether the one with hash was among them. Of several transactions
// one sees true.
func (q *Q) UseOneTimes(ctx context.Context, hash SecretHash, purpose string, accountID int64, now time.Time) (bool, error) {
	used, err := all(ctx, q, "use one-time links", value[[]byte], `
		UPDATE one_time SET used_at = $1
		WHERE purpose = $2 AND account_id = $3 AND used_at = 0 AND expires_at > $1 RETURNING hash`,
		micros(now), purpose, accountID)
	for _, h := range used {
		if string(h) == string(hash[:]) {
			return true, err
		}
	}
	return false, err
}

// DeleteExpired deletes sessions, device grants, one-time links and OAuth
// tokens that expired before a time.
func (q *Q) DeleteExpired(ctx context.Context, before time.Time) error {
	for _, text := range []string{
		`DELETE FROM session WHERE expires_at <= $1`,
		`DELETE FROM device_grant WHERE expires_at <= $1`,
		`DELETE FROM one_time WHERE expires_at <= $1`,
		`DELETE FROM access_token WHERE kind = 'oauth' AND expires_at <= $1 AND refresh_expires_at <= $1`,
	} {
		if _, err := q.exec(ctx, "delete expired", text, micros(before)); err != nil {
			return err
		}
	}
	return nil
}
