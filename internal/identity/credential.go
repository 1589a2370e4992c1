package identity

import (
	"encoding/base64"
	"errors"
	"strings"
)

// maxAuthorization bounds an Authorization header.
const maxAuthorization = 4096

var errBadAuthorization = errors.New("malformed Authorization header")

// TokenInHeader returns the access token in the value of an Authorization
// header: "Bearer TOKEN", or "Basic" as git sends it, where the token is the
// password, or the user name when the password is not a token. A header that
// holds none is CodeUnauthenticated: bad credentials are never anonymous.
func TokenInHeader(header string) (string, error) {
	if len(header) > maxAuthorization {
		return "", badCredentials(errBadAuthorization)
	}
	scheme, value, _ := strings.Cut(header, " ")
	value = strings.TrimSpace(value)
	switch {
	case value == "":
		return "", badCredentials(errBadAuthorization)
	case strings.EqualFold(scheme, "Bearer"):
		return value, nil
	case strings.EqualFold(scheme, "Basic"):
		return tokenInBasic(value)
	}
	return "", badCredentials(errBadAuthorization)
}

func tokenInBasic(value string) (string, error) {
	raw, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return "", badCredentials(errBadAuthorization)
	}
	user, password, ok := strings.Cut(string(raw), ":")
	switch {
	case !ok:
		return "", badCredentials(errBadAuthorization)
	case strings.HasPrefix(password, tokenPrefix):
		return password, nil
	case strings.HasPrefix(user, tokenPrefix):
		return user, nil
	}
	return "", badCredentials(errNoSuchToken)
}
