package hub

import (
	"errors"
	"fmt"
)

// Code classifies an error for whoever must act on it. Transports map it to a
// status and an X-Error-Code in one table (hub/api); commands to an exit code.
type Code string

// The codes.
const (
	CodeInvalid          Code = "Invalid"          // the request is malformed
	CodeUnprocessable    Code = "Unprocessable"    // well-formed, but its content is refused
	CodeUnauthenticated  Code = "Unauthenticated"  // no or bad credentials
	CodeForbidden        Code = "Forbidden"        // known, but may not
	CodeRepoNotFound     Code = "RepoNotFound"     // no such repository, or none that the actor may see
	CodeRevisionNotFound Code = "RevisionNotFound" // no such branch, tag or commit
	CodeEntryNotFound    Code = "EntryNotFound"    // no such file or folder at that revision
	CodeGatedRepo        Code = "GatedRepo"        // visible, but its files need acceptance
	CodeGatedAnonymous   Code = "GatedAnonymous"   // the same, asked by nobody in particular
	CodeDisabled         Code = "Disabled"         // taken down by an administrator
	CodeNotFound         Code = "NotFound"         // no such thing of another kind
	CodeConflict         Code = "Conflict"         // it exists already
	CodeStale            Code = "Stale"            // the ref moved since the caller looked
	CodeRange            Code = "Range"            // beyond the end of the file
	CodeTooLarge         Code = "TooLarge"         // over a limit
	CodeRateLimited      Code = "RateLimited"      // too many attempts
	CodeNoSpace          Code = "NoSpace"          // the disk or quota is full
	CodeUnsupported      Code = "Unsupported"      // not built
	CodeUnavailable      Code = "Unavailable"      // try again later
	CodeInternal         Code = "Internal"         // a fault of the hub
)

// Error is an error with a code and a message that is safe to show to the
// person who asked. The wrapped error is for the operator's log only.
type Error struct {
	Code    Code
	Message string
	Err     error // may be nil

	sentinel bool // one of the Err… values below
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is(err, ErrRepoNotFound) true for every error with that code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.sentinel && t.Code == e.Code
}

// Sentinels for errors.Is, one per code that callers test for.
var (
	ErrRepoNotFound     = sentinel(CodeRepoNotFound, "Repository not found")
	ErrRevisionNotFound = sentinel(CodeRevisionNotFound, "Revision not found")
	ErrEntryNotFound    = sentinel(CodeEntryNotFound, "Entry not found")
	ErrUnauthenticated  = sentinel(CodeUnauthenticated, "Invalid username or password.")
	ErrForbidden        = sentinel(CodeForbidden, "You do not have the right to do this.")
	ErrGatedRepo        = sentinel(CodeGatedRepo, "Access to this repository is restricted.")
	ErrNotFound         = sentinel(CodeNotFound, "Not found")
	ErrConflict         = sentinel(CodeConflict, "It already exists")
	ErrStale            = sentinel(CodeStale, "The branch was updated since you opened this page. Please refresh and try again.")
	ErrRange            = sentinel(CodeRange, "The requested range is beyond the end of the file.")
	ErrNoSpace          = sentinel(CodeNoSpace, "The hub has no space left.")
	ErrUnavailable      = sentinel(CodeUnavailable, "The hub is busy. Try again in a moment.")
)

func sentinel(c Code, message string) *Error {
	return &Error{Code: c, Message: message, sentinel: true}
}

// Errorf makes an error with a code; the formatted text is shown to users.
func Errorf(c Code, format string, args ...any) *Error {
	return &Error{Code: c, Message: fmt.Sprintf(format, args...)}
}

// Invalidf makes a CodeInvalid error.
func Invalidf(format string, args ...any) *Error { return Errorf(CodeInvalid, format, args...) }

// CodeOf is the code of the outermost *Error in err's chain, CodeInternal for
// other errors.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}

// MessageOf is the text of err that may be shown to the person who asked, ""
// for errors that are not meant for him.
func MessageOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Message
	}
	return ""
}
