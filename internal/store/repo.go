package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pantryhub/pantry/hub"
)

// Repo is a repository's row.
type Repo struct {
	ID            int64
	Type          hub.RepoType
	Name          hub.RepoID
	OwnerID       int64
	Visibility    hub.Visibility
	Gated         hub.Gate
	Disabled      bool
	Discussions   bool
	DefaultBranch string
	CreatedAt     time.Time
	UpdatedAt     time.Time

	Likes        int64
	Downloads    int64
	DownloadsAll int64
	UsedStorage  int64

	Catalog Catalog
}

// Catalog is what is derived from the files at the head of the default branch
// and shown in lists.
type Catalog struct {
	PipelineTag string
	LibraryName string
	SDK         string
	Parameters  int64 // of the network, 0 if unknown
	MainSize    int64 // bytes of the files at head
	Labels      []string
	Links       []string // found by filters as labels are, and not shown; write-only
	Derived     []byte   // JSON object; only details show it
}

const repoColumns = `r.id, r.kind, r.namespace, r.name, r.owner_id, r.visibility, r.gated, r.disabled, r.discussions,
	r.default_branch, r.created_at, r.updated_at, r.likes, r.downloads, r.downloads_all, r.used_storage,
	r.pipeline_tag, r.library_name, r.sdk, r.parameters, r.main_size, r.labels`

func scanRepo(scan func(...any) error) (Repo, error) {
	var r Repo
	err := scanRepoInto(&r, scan)
	return r, err
}

// scanRepoInto reads repoColumns, then the extra columns.
func scanRepoInto(r *Repo, scan func(...any) error, extra ...any) error {
	var created, updated int64
	var labels string
	dest := []any{&r.ID, &r.Type, &r.Name.Namespace, &r.Name.Name, &r.OwnerID, &r.Visibility, &r.Gated, &r.Disabled,
		&r.Discussions, &r.DefaultBranch, &created, &updated, &r.Likes, &r.Downloads, &r.DownloadsAll, &r.UsedStorage,
		&r.Catalog.PipelineTag, &r.Catalog.LibraryName, &r.Catalog.SDK, &r.Catalog.Parameters, &r.Catalog.MainSize, &labels}
	if err := scan(append(dest, extra...)...); err != nil {
		return err
	}
	r.CreatedAt, r.UpdatedAt = fromMicros(created), fromMicros(updated)
	if err := json.Unmarshal([]byte(labels), &r.Catalog.Labels); err != nil {
		return fmt.Errorf("labels of repo %d: %w", r.ID, err)
	}
	return nil
}

// Found is a repository with the commit that its default branch points to.
type Found struct {
	Repo
	Head  hub.OID // zero when the branch does not exist
	Moved bool    // found under a former name
}

// FindRepo finds a repository by its current or a former id.
func (q *Q) FindRepo(ctx context.Context, t hub.RepoType, id hub.RepoID) (Found, error) {
	const text = `SELECT ` + repoColumns + `, COALESCE(f.target, $3), FALSE FROM repo r
		LEFT JOIN ref f ON f.repo_id = r.id AND f.name = 'refs/heads/' || r.default_branch
		WHERE r.kind = $1 AND r.key = $2`
	f, err := one(ctx, q, "find repo", scanFound, text, t, id.Key(), []byte{})
	if !errors.Is(err, ErrNotFound) {
		return f, err
	}
	const moved = `SELECT ` + repoColumns + `, COALESCE(f.target, $3), TRUE FROM repo_redirect d
		JOIN repo r ON r.id = d.repo_id
		LEFT JOIN ref f ON f.repo_id = r.id AND f.name = 'refs/heads/' || r.default_branch
		WHERE d.kind = $1 AND d.key = $2`
	return one(ctx, q, "find moved repo", scanFound, moved, t, id.Key(), []byte{})
}

func scanFound(scan func(...any) error) (Found, error) {
	var f Found
	var head []byte
	if err := scanRepoInto(&f.Repo, scan, &head, &f.Moved); err != nil {
		return f, err
	}
	if len(head) == 0 {
		return f, nil
	}
	return f, copyHash(f.Head[:], head, "ref.target")
}

// RepoByID returns a repository by its row id.
func (q *Q) RepoByID(ctx context.Context, id int64) (Repo, error) {
	return one(ctx, q, "repo by id", scanRepo, `SELECT `+repoColumns+` FROM repo r WHERE r.id = $1`, id)
}

// LockRepo returns a repository's row and keeps other transactions from
// changing it until this one ends.
func (q *Q) LockRepo(ctx context.Context, id int64) (Repo, error) {
	return one(ctx, q, "lock repo", scanRepo, `SELECT `+repoColumns+` FROM repo r WHERE r.id = $1`+q.dialect.forUpdate(), id)
}

// Derived returns the JSON object with what only a repository's details show.
func (q *Q) Derived(ctx context.Context, repoID int64) ([]byte, error) {
	s, err := one(ctx, q, "derived", value[string], `SELECT derived FROM repo WHERE id = $1`, repoID)
	return []byte(s), err
}

// InsertRepo adds a repository, or returns ErrConflict if its name is taken. A
// redirect from the same name ends.
func (q *Q) InsertRepo(ctx context.Context, r Repo) error {
	labels, err := json.Marshal(nonNil(r.Catalog.Labels))
	if err != nil {
		return err
	}
	if _, err := q.exec(ctx, "end redirect", `DELETE FROM repo_redirect WHERE kind = $1 AND key = $2`, r.Type, r.Name.Key()); err != nil {
		return err
	}
	_, err = q.exec(ctx, "insert repo", `
		INSERT INTO repo (id, kind, namespace, name, key, owner_id, visibility, gated, disabled, discussions,
			default_branch, created_at, updated_at, likes, downloads, downloads_all, used_storage,
			pipeline_tag, library_name, sdk, parameters, main_size, labels, derived)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)`,
		r.ID, r.Type, r.Name.Namespace, r.Name.Name, r.Name.Key(), r.OwnerID, r.Visibility, r.Gated, r.Disabled, r.Discussions,
		r.DefaultBranch, micros(r.CreatedAt), micros(r.UpdatedAt), r.Likes, r.Downloads, r.DownloadsAll, r.UsedStorage,
		r.Catalog.PipelineTag, r.Catalog.LibraryName, r.Catalog.SDK, r.Catalog.Parameters, r.Catalog.MainSize,
		string(labels), jsonObject(r.Catalog.Derived))
	if err != nil {
		return err
	}
	return q.putLabels(ctx, r.ID, r.Type, slices.Concat(r.Catalog.Labels, r.Catalog.Links))
}

// jsonObject is derived JSON as it is stored: never empty.
func jsonObject(b []byte) string {
	if len(b) == 0 {
		return "{}"
	}
	return string(b)
}

func nonNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// SetCatalog replaces what is derived from the files, and the time of the last
// change.
func (q *Q) SetCatalog(ctx context.Context, repoID int64, t hub.RepoType, c Catalog, at time.Time) error {
	labels, err := json.Marshal(nonNil(c.Labels))
	if err != nil {
		return err
	}
	_, err = q.exec(ctx, "set catalog", `
		UPDATE repo SET pipeline_tag = $2, library_name = $3, sdk = $4, parameters = $5, main_size = $6,
			labels = $7, derived = $8, updated_at = $9 WHERE id = $1`,
		repoID, c.PipelineTag, c.LibraryName, c.SDK, c.Parameters, c.MainSize, string(labels), jsonObject(c.Derived), micros(at))
	if err != nil {
		return err
	}
	if _, err := q.exec(ctx, "clear labels", `DELETE FROM repo_label WHERE repo_id = $1`, repoID); err != nil {
		return err
	}
	return q.putLabels(ctx, repoID, t, slices.Concat(c.Labels, c.Links))
}

func (q *Q) putLabels(ctx context.Context, repoID int64, t hub.RepoType, labels []string) error {
	for len(labels) > 0 {
		n := min(len(labels), batch/3)
		var text strings.Builder
		args := make([]any, 0, 3*n)
		text.WriteString(`INSERT INTO repo_label (label, kind, repo_id) VALUES `)
		for i, l := range labels[:n] {
			if i > 0 {
				text.WriteByte(',')
			}
			text.WriteString("(" + placeholders(3*i+1, 3) + ")")
			args = append(args, l, t, repoID)
		}
		text.WriteString(` ON CONFLICT DO NOTHING`)
		if _, err := q.exec(ctx, "put labels", text.String(), args...); err != nil {
			return err
		}
		labels = labels[n:]
	}
	return nil
}

// SetMainSize notes the bytes of the files at head and the time of the change.
func (q *Q) SetMainSize(ctx context.Context, repoID, size int64, at time.Time) error {
	_, err := q.exec(ctx, "set main size", `UPDATE repo SET main_size = $2, updated_at = $3 WHERE id = $1`, repoID, size, micros(at))
	return err
}

// TouchRepo notes the time of a change that left the catalog as it was.
func (q *Q) TouchRepo(ctx context.Context, repoID int64, at time.Time) error {
	_, err := q.exec(ctx, "touch repo", `UPDATE repo SET updated_at = $2 WHERE id = $1`, repoID, micros(at))
	return err
}

// SetStorage notes how many bytes of large files a repository holds.
func (q *Q) SetStorage(ctx context.Context, repoID int64) error {
	_, err := q.exec(ctx, "set storage", `
		UPDATE repo SET used_storage = (SELECT COALESCE(SUM(size), 0) FROM repo_file WHERE repo_id = $1) WHERE id = $1`, repoID)
	return err
}

// SetSettings stores visibility, gate and whether discussions are open.
func (q *Q) SetSettings(ctx context.Context, r Repo) error {
	_, err := q.exec(ctx, "set settings", `
		UPDATE repo SET visibility = $2, gated = $3, disabled = $4, discussions = $5 WHERE id = $1`,
		r.ID, r.Visibility, r.Gated, r.Disabled, r.Discussions)
	return err
}

// RenameRepo gives a repository another id and owner and leaves a redirect
// behind. ErrConflict if the new id is taken.
func (q *Q) RenameRepo(ctx context.Context, r Repo, to hub.RepoID, owner int64) error {
	if _, err := q.exec(ctx, "end redirect", `DELETE FROM repo_redirect WHERE kind = $1 AND key = $2`, r.Type, to.Key()); err != nil {
		return err
	}
	_, err := q.exec(ctx, "rename repo", `UPDATE repo SET namespace = $2, name = $3, key = $4, owner_id = $5 WHERE id = $1`,
		r.ID, to.Namespace, to.Name, to.Key(), owner)
	if err != nil || to.Key() == r.Name.Key() {
		return err
	}
	_, err = q.exec(ctx, "leave redirect", `
		INSERT INTO repo_redirect (kind, key, repo_id) VALUES ($1, $2, $3)
		ON CONFLICT (kind, key) DO UPDATE SET repo_id = EXCLUDED.repo_id`, r.Type, r.Name.Key(), r.ID)
	return err
}

// DeleteRepo removes a repository with everything that belongs to it. The
// bytes of its large files stay until they are collected.
func (q *Q) DeleteRepo(ctx context.Context, repoID int64) error {
	_, err := q.exec(ctx, "delete repo", `DELETE FROM repo WHERE id = $1`, repoID)
	return err
}

// AddDownloads counts downloads.
func (q *Q) AddDownloads(ctx context.Context, repoID, n int64) error {
	_, err := q.exec(ctx, "add downloads", `
		UPDATE repo SET downloads = downloads + $2, downloads_all = downloads_all + $2 WHERE id = $1`, repoID, n)
	return err
}

// Sort is a column that lists are ordered by, always descending, ties by id.
type Sort string

// The sorts.
const (
	SortCreated    Sort = "created_at"
	SortUpdated    Sort = "updated_at"
	SortDownloads  Sort = "downloads"
	SortLikes      Sort = "likes"
	SortParameters Sort = "parameters"
	SortMainSize   Sort = "main_size"
	SortID         Sort = "id"
)

// Filter says which repositories a list holds. Zero fields do not filter.
type Filter struct {
	Type        hub.RepoType
	Owner       string // namespace, any case
	Search      []string
	Labels      []string // all of them
	PipelineTag string
	Library     string
	Gated       *bool
	MinParams   int64
	MaxParams   int64

	// Viewer sees the public repositories and those of these accounts; All
	// sees everything.
	Viewer []int64
	All    bool

	Sort   Sort
	After  *Cursor // resume after this row
	Limit  int
	Detail bool // fill Catalog.Derived
	Head   bool // fill Head
}

// Cursor is the place of a row in a sorted list.
type Cursor struct {
	Value int64
	ID    int64
}

// CursorOf is the place of a row in a list with that order.
func (s Sort) CursorOf(r Repo) Cursor {
	c := Cursor{ID: r.ID}
	switch s {
	case SortCreated:
		c.Value = micros(r.CreatedAt)
	case SortUpdated:
		c.Value = micros(r.UpdatedAt)
	case SortDownloads:
		c.Value = r.Downloads
	case SortLikes:
		c.Value = r.Likes
	case SortParameters:
		c.Value = r.Catalog.Parameters
	case SortMainSize:
		c.Value = r.Catalog.MainSize
	case SortID:
		c.Value = r.ID
	}
	return c
}

// ListRepos returns one page of repositories.
func (q *Q) ListRepos(ctx context.Context, f Filter) ([]Found, error) {
	var b filterBuilder
	columns := repoColumns
	join := ""
	if f.Head {
		columns += `, f.target`
		join = ` LEFT JOIN ref f ON f.repo_id = r.id AND f.name = 'refs/heads/' || r.default_branch`
	}
	if f.Detail {
		columns += `, r.derived`
	}
	b.where(f)
	if f.After != nil {
		b.add("(r."+string(f.Sort)+", r.id) < (?, ?)", f.After.Value, f.After.ID)
	}
	text := `SELECT ` + columns + ` FROM repo r` + join + b.clause() +
		` ORDER BY r.` + string(f.Sort) + ` DESC, r.id DESC LIMIT ` + strconv.Itoa(f.Limit)
	read := func(scan func(...any) error) (Found, error) {
		var found Found
		var head []byte
		var derived string
		var extra []any
		if f.Head {
			extra = append(extra, &head)
		}
		if f.Detail {
			extra = append(extra, &derived)
		}
		if err := scanRepoInto(&found.Repo, scan, extra...); err != nil {
			return found, err
		}
		found.Catalog.Derived = []byte(derived)
		if len(head) == 0 {
			return found, nil
		}
		return found, copyHash(found.Head[:], head, "ref.target")
	}
	return all(ctx, q, "list repos", read, text, b.args...)
}

// CountRepos counts the repositories that a filter holds, without its page.
func (q *Q) CountRepos(ctx context.Context, f Filter) (int64, error) {
	var b filterBuilder
	b.where(f)
	return one(ctx, q, "count repos", value[int64], `SELECT COUNT(*) FROM repo r`+b.clause(), b.args...)
}

// filterBuilder collects conditions and their arguments.
type filterBuilder struct {
	conds []string
	args  []any
}

// add appends a condition; each "?" stands for the next argument.
func (b *filterBuilder) add(cond string, args ...any) {
	for _, a := range args {
		b.args = append(b.args, a)
		cond = strings.Replace(cond, "?", "$"+strconv.Itoa(len(b.args)), 1)
	}
	b.conds = append(b.conds, cond)
}

func (b *filterBuilder) clause() string { return " WHERE " + strings.Join(b.conds, " AND ") }

func (b *filterBuilder) where(f Filter) {
	b.add("r.kind = ?", f.Type)
	if !f.All {
		b.visible(f.Viewer)
	}
	if f.Owner != "" {
		b.add("r.owner_id = (SELECT id FROM account WHERE name_key = ?)", strings.ToLower(f.Owner))
	}
	for _, s := range f.Search {
		b.add(`r.key LIKE ? ESCAPE '\'`, "%"+likeEscaper.Replace(strings.ToLower(s))+"%")
	}
	for _, l := range f.Labels {
		b.add("EXISTS (SELECT 1 FROM repo_label l WHERE l.label = ? AND l.kind = r.kind AND l.repo_id = r.id)", l)
	}
	if f.PipelineTag != "" {
		b.add("r.pipeline_tag = ?", f.PipelineTag)
	}
	if f.Library != "" {
		b.add("r.library_name = ?", f.Library)
	}
	if f.Gated != nil {
		if *f.Gated {
			b.add("r.gated <> ''")
		} else {
			b.add("r.gated = ''")
		}
	}
	if f.MinParams > 0 {
		b.add("r.parameters >= ?", f.MinParams)
	}
	if f.MaxParams > 0 {
		b.add("r.parameters > 0 AND r.parameters <= ?", f.MaxParams)
	}
}

// visible keeps what the viewer may know of.
func (b *filterBuilder) visible(accounts []int64) {
	cond := "r.disabled = FALSE AND r.visibility <> 'private'"
	if len(accounts) > 0 {
		marks := strings.TrimSuffix(strings.Repeat("?,", len(accounts)), ",")
		args := make([]any, len(accounts))
		for i, a := range accounts {
			args[i] = a
		}
		b.add("(("+cond+") OR r.owner_id IN ("+marks+"))", args...)
		return
	}
	b.add(cond)
}

var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// LabelCount is a label and how many repositories carry it.
type LabelCount struct {
	Label string
	Count int64
}

// Labels returns the labels of a type's public repositories that begin with
// prefix, the most used first.
func (q *Q) Labels(ctx context.Context, t hub.RepoType, prefix string, limit int) ([]LabelCount, error) {
	read := func(scan func(...any) error) (LabelCount, error) {
		var l LabelCount
		return l, scan(&l.Label, &l.Count)
	}
	return all(ctx, q, "labels", read, `
		SELECT l.label, COUNT(*) FROM repo_label l JOIN repo r ON r.id = l.repo_id
		WHERE l.kind = $1 AND l.label LIKE $2 ESCAPE '\' AND r.visibility <> 'private' AND r.disabled = FALSE
		GROUP BY l.label ORDER BY COUNT(*) DESC, l.label LIMIT `+strconv.Itoa(limit),
		t, likeEscaper.Replace(prefix)+"%")
}
