package authapi

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/pantryhub/pantry/internal/httpx"
	"github.com/pantryhub/pantry/internal/ratelimit"
)

// handler is an httpx.Handler that tells clients over a limit when to come again.
type handler httpx.Handler

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	err := h(w, r)
	if err == nil {
		return
	}
	var limited *ratelimit.Exceeded
	if errors.As(err, &limited) {
		w.Header().Set("Retry-After", strconv.Itoa(limited.RetryAfter()))
	}
	httpx.WriteError(w, r, err)
}
