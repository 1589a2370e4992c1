package api

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/pantryhub/pantry/hub"
)

// Time is a time on the wire: UTC with milliseconds and a "Z". Python's client
// rejects offsets.
type Time time.Time

const timeFormat = "2006-01-02T15:04:05.000Z"

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) {
	return []byte(`"` + time.Time(t).UTC().Format(timeFormat) + `"`), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Time) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	v, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return fmt.Errorf("time %q: %w", s, err)
	}
	*t = Time(v)
	return nil
}

// WireID is a row id as the 24 hex digits that clients expect of an _id.
func WireID(id int64, created time.Time) string {
	return fmt.Sprintf("%08x%016x", uint32(created.Unix()), uint64(id))
}

// CreateRepo is the body of POST /api/repos/create.
type CreateRepo struct {
	Name             string       `json:"name"`
	Organization     string       `json:"organization"`
	Type             string       `json:"type"`
	Visibility       string       `json:"visibility"`
	Private          *bool        `json:"private"`
	SDK              string       `json:"sdk"`
	License          string       `json:"license"`
	LicenseName      string       `json:"license_name"`
	LicenseLink      string       `json:"license_link"`
	ShortDescription string       `json:"short_description"`
	Files            []CreateFile `json:"files"`
}

// CreateFile is a file of a new repository.
type CreateFile struct {
	Path     string `json:"path"`
	Content  string `json:"content"`
	Encoding string `json:"encoding"`
}

// CreatedRepo answers create, duplicate and move.
type CreatedRepo struct {
	URL  string `json:"url"`
	Name string `json:"name"`
	ID   string `json:"id"`
}

// RepoRef names a repository in the body of delete.
type RepoRef struct {
	Name         string `json:"name"`
	Organization string `json:"organization"`
	Type         string `json:"type"`
}

// MoveRepo is the body of POST /api/repos/move.
type MoveRepo struct {
	FromRepo string `json:"fromRepo"`
	ToRepo   string `json:"toRepo"`
	Type     string `json:"type"`
}

// Settings is the body of PUT …/settings and its answer.
type Settings struct {
	Private             *bool           `json:"private,omitempty"`
	Visibility          *string         `json:"visibility,omitempty"`
	Gated               json.RawMessage `json:"gated,omitempty"` // false, "auto" or "manual"
	DiscussionsDisabled *bool           `json:"discussionsDisabled,omitempty"`
}

// Duplicate is the body of POST …/duplicate.
type Duplicate struct {
	Repository string `json:"repository"`
	Visibility string `json:"visibility"`
	Private    *bool  `json:"private"`
}

// Sibling is a file in a repository's details.
type Sibling struct {
	RFilename string      `json:"rfilename"`
	Size      *int64      `json:"size,omitempty"`
	BlobID    string      `json:"blobId,omitempty"`
	LFS       *SiblingLFS `json:"lfs,omitempty"`
}

// SiblingLFS describes a large file of a sibling.
type SiblingLFS struct {
	SHA256      string `json:"sha256"`
	Size        int64  `json:"size"`
	PointerSize int64  `json:"pointerSize"`
}

// TreeEntry is a line of …/tree and …/paths-info.
type TreeEntry struct {
	Type       hub.EntryKind `json:"type"`
	OID        string        `json:"oid"`
	Size       int64         `json:"size"`
	Path       string        `json:"path"`
	LFS        *TreeLFS      `json:"lfs,omitempty"`
	XetHash    string        `json:"xetHash,omitempty"`
	LastCommit *LastCommit   `json:"lastCommit,omitempty"`
}

// TreeLFS describes a large file of a tree entry.
type TreeLFS struct {
	OID         string `json:"oid"`
	Size        int64  `json:"size"`
	PointerSize int64  `json:"pointerSize"`
}

// LastCommit is the commit that last changed an entry.
type LastCommit struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Date  Time   `json:"date"`
}

// NewTreeEntry converts an entry.
func NewTreeEntry(e hub.Entry) TreeEntry {
	t := TreeEntry{Type: e.Kind, OID: e.OID.String(), Size: e.Size, Path: e.Path}
	if e.LFS != nil {
		t.LFS = &TreeLFS{OID: e.LFS.OID.String(), Size: e.LFS.Size, PointerSize: e.LFS.PointerSize}
		t.XetHash = e.LFS.Xet.String()
	}
	return t
}

// PathsInfo is the body of POST …/paths-info when it is JSON.
type PathsInfo struct {
	Paths  []string `json:"paths"`
	Expand bool     `json:"expand"`
}

// Refs is the answer of …/refs.
type Refs struct {
	Branches     []Ref  `json:"branches"`
	Converts     []Ref  `json:"converts"`
	Tags         []Ref  `json:"tags"`
	PullRequests *[]Ref `json:"pullRequests,omitempty"` // nil unless asked for
}

// Ref is a named commit.
type Ref struct {
	Name         string `json:"name"`
	Ref          string `json:"ref"`
	TargetCommit string `json:"targetCommit"`
}

// Commit is a line of …/commits.
type Commit struct {
	ID        string           `json:"id"`
	Title     string           `json:"title"`
	Message   string           `json:"message"`
	Authors   []CommitAuthor   `json:"authors"`
	Date      Time             `json:"date"`
	Formatted *FormattedCommit `json:"formatted,omitempty"`
}

// CommitAuthor is a user name with a picture.
type CommitAuthor struct {
	User   string `json:"user"`
	Avatar string `json:"avatar"`
}

// FormattedCommit is a message as HTML.
type FormattedCommit struct {
	Title   string `json:"title"`
	Message string `json:"message"`
}

// CreateBranch is the body of POST …/branch/{name}.
type CreateBranch struct {
	StartingPoint string `json:"startingPoint"`
	EmptyBranch   bool   `json:"emptyBranch"`
	Overwrite     bool   `json:"overwrite"`
}

// CreateTag is the body of POST …/tag/{rev}.
type CreateTag struct {
	Tag     string `json:"tag"`
	Message string `json:"message"`
}

// SuperSquash is the body of POST …/super-squash/{rev}.
type SuperSquash struct {
	Message string `json:"message"`
}

// Preupload is the body of POST …/preupload/{rev}.
type Preupload struct {
	Files         []PreuploadFile `json:"files"`
	GitIgnore     *string         `json:"gitIgnore"`
	GitAttributes *string         `json:"gitAttributes"`
}

// PreuploadFile asks about one file. Sample is base64 of its first 512 bytes.
type PreuploadFile struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	Sample []byte `json:"sample"`
}

// PreuploadReply answers for all files.
type PreuploadReply struct {
	Files     []PreuploadDecision `json:"files"`
	CommitOID string              `json:"commitOid,omitempty"`
}

// PreuploadDecision says how to upload one file. OID is what is there now.
type PreuploadDecision struct {
	Path         string `json:"path"`
	UploadMode   string `json:"uploadMode"`
	ShouldIgnore bool   `json:"shouldIgnore"`
	OID          string `json:"oid,omitempty"`
}

// CommitReply answers POST …/commit/{rev}.
type CommitReply struct {
	Success    bool   `json:"success"`
	CommitOID  string `json:"commitOid"`
	CommitURL  string `json:"commitUrl"`
	HookOutput string `json:"hookOutput"`
}

// CommitLine is one NDJSON line of a commit body.
type CommitLine struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

// CommitHeader is the value of the first line [header].
type CommitHeader struct {
	Summary      string `json:"summary"`
	Description  string `json:"description"`
	ParentCommit string `json:"parentCommit"`
}

// CommitFile is the value of a line [file].
type CommitFile struct {
	Path     string `json:"path"`
	Content  string `json:"content"`
	Encoding string `json:"encoding"` // "base64", or "utf-8" if absent
	OldPath  string `json:"oldPath"`
}

// CommitLFSFile is the value of a line [lfsFile]. Size is absent for copies.
type CommitLFSFile struct {
	Path    string `json:"path"`
	Algo    string `json:"algo"`
	OID     string `json:"oid"`
	Size    *int64 `json:"size"`
	OldPath string `json:"oldPath"`
}

// CommitPath is the value of the deletion lines.
type CommitPath struct {
	Path string `json:"path"`
}

// XetToken answers …/xet-read-token and …/xet-write-token.
type XetToken struct {
	CASURL      string `json:"casUrl"`
	AccessToken string `json:"accessToken"`
	Expires     int64  `json:"exp"` // Unix seconds
}

// MintXet makes a token for the Xet service that lets an account read, or
// write, the files of one repository until it expires.
type MintXet func(repoID, accountID int64, write bool) (token string, expires time.Time)

// LFSFile is a line of …/lfs-files.
type LFSFile struct {
	FileOID  string `json:"fileOid"`
	Filename string `json:"filename"`
	OID      string `json:"oid"`
	PushedAt Time   `json:"pushedAt"`
	Size     int64  `json:"size"`
	Ref      string `json:"ref,omitempty"`
	XetHash  string `json:"xetHash,omitempty"`
}

// LFSDeletions is the body of POST …/lfs-files/batch.
type LFSDeletions struct {
	Deletions struct {
		SHA            []string `json:"sha"`
		RewriteHistory bool     `json:"rewriteHistory"`
	} `json:"deletions"`
}

// LFSDuplicate is the body of POST …/lfs-files/duplicate.
type LFSDuplicate struct {
	Target struct {
		Type string `json:"type"`
		Name string `json:"name"`
	} `json:"target"`
	Files []struct {
		XetHash  string `json:"xetHash"`
		SHA256   string `json:"sha256"`
		Filename string `json:"filename"`
	} `json:"files"`
}

// LFSDuplicateReply lists what could not be copied.
type LFSDuplicateReply struct {
	Failed []LFSDuplicateFailure `json:"failed"`
}

// LFSDuplicateFailure is one large file that could not be copied.
type LFSDuplicateFailure struct {
	SHA256 string `json:"sha256"`
	Error  string `json:"error"`
}

// ValidateYAML is the body of POST /api/validate-yaml.
type ValidateYAML struct {
	Content  string `json:"content"`
	RepoType string `json:"repoType"`
}

// StoredRepo is a line of …/settings/repositories.
type StoredRepo struct {
	ID             string       `json:"id"`
	Type           hub.RepoType `json:"type"`
	UpdatedAt      Time         `json:"updatedAt"`
	Visibility     string       `json:"visibility"`
	Storage        int64        `json:"storage"`
	StoragePercent float64      `json:"storagePercent"`
}

// Change is a line of …/compare: a path that differs between two commits.
type Change struct {
	Path   string `json:"path"`
	Type   string `json:"type"` // "added", "deleted" or "modified"
	OldOID string `json:"oldOid,omitempty"`
	NewOID string `json:"newOid,omitempty"`
	Size   int64  `json:"size"`
}

// NewChange describes the difference of one path; old is nil if it was added,
// cur if it was deleted.
func NewChange(path string, old, cur *hub.Entry) Change {
	c := Change{Path: path, Type: "modified"}
	if old != nil {
		c.OldOID = old.OID.String()
	} else {
		c.Type = "added"
	}
	if cur != nil {
		c.NewOID, c.Size = cur.OID.String(), cur.Size
	} else {
		c.Type = "deleted"
	}
	return c
}

// LegacyCommit is a commit body as one JSON object.
type LegacyCommit struct {
	CommitHeader
	Files          []json.RawMessage `json:"files"`
	LFSFiles       []json.RawMessage `json:"lfsFiles"`
	DeletedEntries []json.RawMessage `json:"deletedEntries"`
	DeletedFiles   []json.RawMessage `json:"deletedFiles"`
}
