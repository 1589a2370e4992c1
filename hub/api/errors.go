package api

import (
	"net/http"

	"github.com/pantryhub/pantry/hub"
)

// errorTable is the one place that maps a domain error to what a client sees:
// the HTTP status, the X-Error-Code header and, for commands, the exit code.
// Clients act on the header: over plain http they do not guess from the status.
var errorTable = map[hub.Code]struct {
	status int
	header string // X-Error-Code; "" for none
	exit   int
}{
	hub.CodeInvalid:          {http.StatusBadRequest, "", 2},
	hub.CodeUnprocessable:    {http.StatusUnprocessableEntity, "", 2},
	hub.CodeUnauthenticated:  {http.StatusUnauthorized, "", 4},
	hub.CodeForbidden:        {http.StatusForbidden, "", 4},
	hub.CodeRepoNotFound:     {http.StatusNotFound, "RepoNotFound", 5},
	hub.CodeRevisionNotFound: {http.StatusNotFound, "RevisionNotFound", 5},
	hub.CodeEntryNotFound:    {http.StatusNotFound, "EntryNotFound", 5},
	hub.CodeGatedRepo:        {http.StatusForbidden, "GatedRepo", 4},
	hub.CodeGatedAnonymous:   {http.StatusUnauthorized, "GatedRepo", 4},
	hub.CodeDisabled:         {http.StatusForbidden, "", 4},
	hub.CodeNotFound:         {http.StatusNotFound, "", 5},
	hub.CodeConflict:         {http.StatusConflict, "", 6},
	hub.CodeStale:            {http.StatusPreconditionFailed, "", 6},
	hub.CodeRange:            {http.StatusRequestedRangeNotSatisfiable, "", 2},
	hub.CodeTooLarge:         {http.StatusRequestEntityTooLarge, "", 2},
	hub.CodeRateLimited:      {http.StatusTooManyRequests, "", 7},
	hub.CodeNoSpace:          {http.StatusInsufficientStorage, "", 8},
	hub.CodeUnsupported:      {http.StatusNotImplemented, "", 9},
	hub.CodeUnavailable:      {http.StatusServiceUnavailable, "", 7},
	hub.CodeInternal:         {http.StatusInternalServerError, "", 1},
}

// Status is the HTTP status of an error code.
func Status(c hub.Code) int { return errorTable[c].status }

// ErrorHeader is the X-Error-Code of an error code, "" for none.
func ErrorHeader(c hub.Code) string { return errorTable[c].header }

// ExitCode is what a command exits with after an error of this code.
func ExitCode(c hub.Code) int { return errorTable[c].exit }

// ErrorBody is the JSON body of every error.
type ErrorBody struct {
	Error string `json:"error"`
	// URL is set on 409 when a repository exists: clients with exist_ok read
	// it from the error.
	URL string `json:"url,omitempty"`
}
