package repo

import (
	"context"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/attrs"
	"github.com/pantryhub/pantry/internal/authz"
	"github.com/pantryhub/pantry/internal/content"
)

// UploadFile is a file that a client is about to upload.
type UploadFile struct {
	Path   string
	Size   int64
	Sample []byte // its first bytes
}

// UploadPlan asks how files are to be uploaded. Ignore and Attributes are the
// texts of the files that the client is about to upload as well, nil to use
// those of the repository.
type UploadPlan struct {
	Files      []UploadFile
	Ignore     *string
	Attributes *string
}

// UploadDecision is the answer for one file.
type UploadDecision struct {
	Mode    content.Mode
	Ignore  bool
	Current string // id of what is at the path now: git's of a small file, SHA-256 of a large one; "" if nothing
}

// Limits of matching the paths of one request with the patterns of
// .gitattributes and .gitignore. Real files have some dozens of patterns.
const (
	maxAskedPath = 4096
	maxSteps     = 300_000_000 // of attrs.Rules.Steps: a second
)

var errPatterns = hub.Invalidf("There are too many patterns in .gitattributes and .gitignore for so many files at once. Upload fewer at a time, or write fewer patterns.")

// PlanUpload decides how files are uploaded to a revision.
func (r *Repo) PlanUpload(ctx context.Context, rev hub.Revision, plan UploadPlan) ([]UploadDecision, error) {
	if err := r.Require(authz.Write); err != nil {
		return nil, err
	}
	commit, err := r.Resolve(ctx, rev)
	if err != nil {
		return nil, err
	}
	attributes, err := r.textOr(ctx, commit, attributesFile, plan.Attributes)
	if err != nil {
		return nil, err
	}
	ignored, err := r.textOr(ctx, commit, ".gitignore", plan.Ignore)
	if err != nil {
		return nil, err
	}
	rules, ignore := attrs.Parse(attributes), attrs.ParseIgnore(ignored)
	out := make([]UploadDecision, len(plan.Files))
	steps := 0
	for i, f := range plan.Files {
		if f.Size < 0 {
			return nil, hub.Invalidf("The size of %q is negative.", f.Path)
		}
		if len(f.Path) > maxAskedPath {
			return nil, hub.Invalidf("A path has more than %d bytes.", maxAskedPath)
		}
		if steps += rules.Steps(f.Path) + ignore.Steps(f.Path); steps > maxSteps {
			return nil, errPatterns
		}
		out[i].Mode = content.Decide(rules, f.Path, f.Size, f.Sample)
		out[i].Ignore = ignore.Match(f.Path)
		if out[i].Current, err = r.currentID(ctx, commit, f.Path); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// textOr returns given, or the small text file of a commit, empty if missing.
func (r *Repo) textOr(ctx context.Context, c hub.Commit, path string, given *string) ([]byte, error) {
	if given != nil {
		return []byte(*given), nil
	}
	e, err := r.Entry(ctx, c, path)
	switch {
	case hub.CodeOf(err) == hub.CodeEntryNotFound, err == nil && e.Kind != hub.FileEntry:
		return nil, nil
	case err != nil:
		return nil, err
	}
	return r.ReadSmall(ctx, e)
}

func (r *Repo) currentID(ctx context.Context, c hub.Commit, path string) (string, error) {
	e, err := r.Entry(ctx, c, path)
	switch {
	case hub.CodeOf(err) == hub.CodeEntryNotFound, hub.CodeOf(err) == hub.CodeInvalid:
		return "", nil
	case err != nil:
		return "", err
	case e.Kind != hub.FileEntry:
		return "", nil
	case e.LFS != nil:
		return e.LFS.OID.String(), nil
	}
	return e.OID.String(), nil
}
