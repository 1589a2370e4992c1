package hubapi

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"net/http"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/internal/httpx"
	"github.com/pantryhub/pantry/internal/repo"
)

// Limits of an upload. Clients send at most 256 files per preupload.
const (
	maxPreupload  = 10_000
	maxCommitLine = 24 << 20 // a regular file of 10 MiB is 14 MB of base64
	maxCommitBody = 4 << 30
)

// preupload answers POST …/preupload/{rev}: how each file is to be uploaded,
// whether it is ignored, and what is there now.
func (s *Server) preupload(w http.ResponseWriter, r *http.Request, route api.Route, rp *repo.Repo) error {
	var req api.Preupload
	if err := httpx.DecodeLargeJSON(w, r, &req); err != nil {
		return err
	}
	if len(req.Files) > maxPreupload {
		return hub.Invalidf("At most %d files per request.", maxPreupload)
	}
	if createPR(r) {
		return errNoPullRequests
	}
	rev, _ := route.Revision()
	ask := make([]repo.UploadFile, len(req.Files))
	for i, f := range req.Files {
		ask[i] = repo.UploadFile{Path: f.Path, Size: f.Size, Sample: f.Sample}
	}
	decisions, err := rp.PlanUpload(r.Context(), rev, repo.UploadPlan{
		Files: ask, Ignore: req.GitIgnore, Attributes: req.GitAttributes,
	})
	if err != nil {
		return err
	}
	reply := api.PreuploadReply{Files: make([]api.PreuploadDecision, len(decisions))}
	for i, d := range decisions {
		reply.Files[i] = api.PreuploadDecision{
			Path: ask[i].Path, UploadMode: string(d.Mode), ShouldIgnore: d.Ignore, OID: d.Current,
		}
	}
	return httpx.JSON(w, http.StatusOK, reply)
}

// errNoPullRequests: discussions come in a later issue.
var errNoPullRequests = hub.Errorf(hub.CodeUnsupported, "This hub does not have pull requests yet. Commit to a branch instead.")

func createPR(r *http.Request) bool { return httpx.Bool(r, "create_pr") }

// commit answers POST …/commit/{rev}.
func (s *Server) commit(w http.ResponseWriter, r *http.Request, route api.Route, rp *repo.Repo) error {
	if createPR(r) {
		return errNoPullRequests
	}
	rev, _ := route.Revision()
	lines := newCommitReader(http.MaxBytesReader(w, r.Body, maxCommitBody), r.Header.Get("Content-Type"))
	header, err := lines.header()
	if err != nil {
		return err
	}
	commit, err := rp.Commit(r.Context(), repo.CommitRequest{
		Revision: rev, Summary: header.Summary, Description: header.Description, Parent: header.ParentCommit,
		Operations: lines.operations(),
	})
	if err != nil {
		return err
	}
	return httpx.JSON(w, http.StatusOK, api.CommitReply{
		Success: true, CommitOID: commit.OID.String(),
		CommitURL: s.base(r) + api.PathOf(rp.Type, rp.Name) + "/commit/" + commit.OID.String(),
	})
}

// commitReader reads a commit body line by line: NDJSON, or the single JSON
// object that old clients send.
type commitReader struct {
	in     *bufio.Reader
	legacy bool
	ops    []repo.Operation // of a legacy body
}

func newCommitReader(body io.Reader, contentType string) *commitReader {
	t, _, _ := mime.ParseMediaType(contentType)
	return &commitReader{in: bufio.NewReaderSize(body, 64<<10), legacy: t == "application/json"}
}

// line returns the next line without its end; io.EOF after the last.
func (c *commitReader) line() ([]byte, error) {
	var line []byte
	for {
		part, err := c.in.ReadSlice('\n')
		if len(line)+len(part) > maxCommitLine {
			return nil, hub.Errorf(hub.CodeTooLarge, "A line of the commit is over %d bytes: upload large files through LFS or Xet.", maxCommitLine)
		}
		line = append(line, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err == io.EOF && len(line) > 0, err == nil:
			return line, nil
		case err == io.EOF:
			return nil, io.EOF
		}
		return nil, fmt.Errorf("read commit: %w", err)
	}
}

// header reads the first line, or the whole of a legacy body.
func (c *commitReader) header() (api.CommitHeader, error) {
	if c.legacy {
		return c.legacyBody()
	}
	line, err := c.line()
	if err == io.EOF {
		return api.CommitHeader{}, hub.Invalidf("The commit is empty.")
	}
	if err != nil {
		return api.CommitHeader{}, err
	}
	var l api.CommitLine
	var h api.CommitHeader
	if json.Unmarshal(line, &l) != nil || l.Key != "header" || json.Unmarshal(l.Value, &h) != nil {
		return h, hub.Invalidf(`The first line of a commit must be {"key":"header","value":{"summary":…}}.`)
	}
	return h, nil
}

// operations reads the other lines.
func (c *commitReader) operations() iter.Seq2[repo.Operation, error] {
	return func(yield func(repo.Operation, error) bool) {
		for _, op := range c.ops {
			if !yield(op, nil) {
				return
			}
		}
		for n := 2; !c.legacy; n++ {
			line, err := c.line()
			if err == io.EOF {
				return
			}
			var op repo.Operation
			var skip bool
			if err == nil {
				op, skip, err = decodeOperation(line, n)
			}
			if skip {
				continue
			}
			if !yield(op, err) || err != nil {
				return
			}
		}
	}
}

// decodeOperation parses line n; blank lines are skipped.
func decodeOperation(line []byte, n int) (op repo.Operation, skip bool, err error) {
	if len(trimSpace(line)) == 0 {
		return op, true, nil
	}
	var l api.CommitLine
	if err := json.Unmarshal(line, &l); err != nil {
		return op, false, hub.Invalidf("Line %d of the commit is not JSON: %v", n, err)
	}
	switch l.Key {
	case "file":
		op, err = decodeFile(l.Value)
	case "lfsFile":
		op, err = decodeLFSFile(l.Value)
	case "deletedFile":
		op, err = decodeDeleted(l.Value, repo.DeleteFile)
	case "deletedFolder":
		op, err = decodeDeleted(l.Value, repo.DeleteFolder)
	case "deletedEntry":
		op, err = decodeDeleted(l.Value, repo.DeleteEntry)
	default:
		err = hub.Invalidf("unknown key %q", l.Key)
	}
	if err != nil {
		return op, false, hub.Invalidf("Line %d of the commit: %s", n, err)
	}
	return op, false, nil
}

func trimSpace(b []byte) []byte {
	for len(b) > 0 && b[len(b)-1] <= ' ' {
		b = b[:len(b)-1]
	}
	return b
}

func decodeFile(value []byte) (repo.Operation, error) {
	var f api.CommitFile
	if err := json.Unmarshal(value, &f); err != nil {
		return repo.Operation{}, err
	}
	op := repo.Operation{Kind: repo.PutFile, Path: f.Path}
	switch f.Encoding {
	case "base64":
		content, err := base64.StdEncoding.DecodeString(f.Content)
		if err != nil {
			return op, fmt.Errorf("content of %q is not base64", f.Path)
		}
		op.Content = content
	case "", "utf-8", "utf8":
		op.Content = []byte(f.Content)
	default:
		return op, fmt.Errorf("unknown encoding %q", f.Encoding)
	}
	return op, nil
}

func decodeLFSFile(value []byte) (repo.Operation, error) {
	var f api.CommitLFSFile
	if err := json.Unmarshal(value, &f); err != nil {
		return repo.Operation{}, err
	}
	if f.Algo != "" && f.Algo != "sha256" {
		return repo.Operation{}, fmt.Errorf("unknown algo %q", f.Algo)
	}
	sha, err := hub.ParseSHA256(f.OID)
	if err != nil {
		return repo.Operation{}, err
	}
	op := repo.Operation{Kind: repo.PutLarge, Path: f.Path, SHA256: sha, Size: -1}
	if f.Size != nil {
		op.Size = *f.Size
	}
	return op, nil
}

func decodeDeleted(value []byte, kind repo.OpKind) (repo.Operation, error) {
	var p api.CommitPath
	if err := json.Unmarshal(value, &p); err != nil {
		return repo.Operation{}, err
	}
	return repo.Operation{Kind: kind, Path: p.Path}, nil
}

// legacyBody reads the single JSON object of old clients.
func (c *commitReader) legacyBody() (api.CommitHeader, error) {
	var body api.LegacyCommit
	if err := json.NewDecoder(io.LimitReader(c.in, maxCommitLine)).Decode(&body); err != nil {
		return api.CommitHeader{}, hub.Invalidf("The commit is not JSON: %v", err)
	}
	add := func(op repo.Operation, err error) error {
		if err != nil {
			return hub.Invalidf("%s", err)
		}
		c.ops = append(c.ops, op)
		return nil
	}
	for _, f := range body.Files {
		if err := add(decodeFile(f)); err != nil {
			return body.CommitHeader, err
		}
	}
	for _, f := range body.LFSFiles {
		if err := add(decodeLFSFile(f)); err != nil {
			return body.CommitHeader, err
		}
	}
	for _, f := range append(body.DeletedEntries, body.DeletedFiles...) {
		if err := add(decodeDeleted(f, repo.DeleteEntry)); err != nil {
			return body.CommitHeader, err
		}
	}
	return body.CommitHeader, nil
}
