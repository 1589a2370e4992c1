package repo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"

	"github.com/maypok86/otter/v2"

	"github.com/pantryhub/pantry/gguf"
	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/card"
	"github.com/pantryhub/pantry/internal/content"
	"github.com/pantryhub/pantry/internal/git"
	"github.com/pantryhub/pantry/internal/store"
	"github.com/pantryhub/pantry/safetensors"
)

// derived is the JSON object in the catalog: what details show of the files.
type derived struct {
	card.Derived
	Safetensors *safetensors.Summary `json:"safetensors,omitempty"`
	GGUF        *gguf.Summary        `json:"gguf,omitempty"`
}

// Derive computes the catalog entry that a commit would have.
func (r *Repo) Derive(ctx context.Context, c hub.Commit) (store.Catalog, error) {
	return r.derive(ctx, r.git(), c)
}

// catalogChange is what a commit to the default branch changes in the catalog.
// It is worked out before the transaction, which must not wait for the bucket.
type catalogChange struct {
	full     *store.Catalog // nil if only the sizes changed
	mainSize int64
}

// catalogChange works out the change that a commit makes. A commit that only
// changed the content of files that nothing is derived from changes the sizes
// alone.
func (r *Repo) catalogChange(ctx context.Context, reader git.Reader, parent, c hub.Commit, paths []string) (catalogChange, error) {
	matters, err := r.matters(ctx, reader, parent, paths)
	if err != nil {
		return catalogChange{}, err
	}
	if !matters {
		t, err := reader.Tree(ctx, c.Tree)
		if err != nil {
			return catalogChange{}, err
		}
		return catalogChange{mainSize: t.Size()}, nil
	}
	full, err := r.derive(ctx, reader, c)
	return catalogChange{full: &full}, err
}

// write stores the change, inside the commit's transaction.
func (ch catalogChange) write(ctx context.Context, q *store.Q, r *Repo) error {
	if ch.full == nil {
		return q.SetMainSize(ctx, r.ID, ch.mainSize, r.svc.now())
	}
	return q.SetCatalog(ctx, r.ID, r.Type, *ch.full, r.svc.now())
}

// maxProbe is how many changed paths are looked at one by one.
const maxProbe = 32

// matters reports whether changes of these paths can change what is derived:
// files that are read, and files that appear or vanish.
func (r *Repo) matters(ctx context.Context, reader git.Reader, parent hub.Commit, paths []string) (bool, error) {
	if len(paths) > maxProbe || parent.OID.IsZero() {
		return true, nil
	}
	for _, p := range paths {
		if readFile(p) {
			return true, nil
		}
		if _, err := reader.Lookup(ctx, parent.Tree, p); err != nil {
			return true, ignoreMissing(err)
		}
	}
	return false, nil
}

func ignoreMissing(err error) error {
	if hub.CodeOf(err) == hub.CodeEntryNotFound {
		return nil
	}
	return err
}

const (
	readmeFile = "README.md"
	indexFile  = "model.safetensors.index.json"
)

// readFile reports whether derive reads the content of a path.
func readFile(p string) bool {
	return p == readmeFile || p == indexFile || strings.HasSuffix(p, ".safetensors") || strings.HasSuffix(p, ".gguf") ||
		len(card.Wanted([]string{p})) > 0
}

// derive reads the files that describe a repository.
func (r *Repo) derive(ctx context.Context, reader git.Reader, c hub.Commit) (store.Catalog, error) {
	d := deriver{repo: r, reader: reader, entries: map[string]hub.Entry{}}
	var mainSize int64
	for e, err := range reader.List(ctx, c.Tree, "", true, "") {
		if err != nil {
			return store.Catalog{}, err
		}
		if e.Kind != hub.FileEntry {
			continue
		}
		d.entries[e.Path] = e
		d.paths = append(d.paths, e.Path)
		mainSize += e.Size
	}
	in := card.Input{Type: r.Type, Files: d.paths, Contents: map[string][]byte{}}
	for _, name := range card.Wanted(d.paths) {
		text, err := d.text(ctx, name, card.MaxFile)
		if err != nil {
			return store.Catalog{}, err
		}
		in.Contents[name] = text
	}
	readme, err := d.text(ctx, readmeFile, card.MaxFile)
	if err != nil {
		return store.Catalog{}, err
	}
	parsed, _ := card.Parse(readme) // a card with broken metadata is a card without: validate-yaml tells its author
	in.Data, in.Body = parsed.Data, parsed.Body
	var doc derived
	if r.Type == hub.Model {
		doc.Safetensors = d.safetensors(ctx, in.Contents["config.json"])
		doc.GGUF = d.gguf(ctx)
		in.GGUF = doc.GGUF
	}
	doc.Derived = card.Derive(in)
	return catalogOf(doc, mainSize)
}

func catalogOf(doc derived, mainSize int64) (store.Catalog, error) {
	text, err := json.Marshal(doc)
	if err != nil {
		return store.Catalog{}, fmt.Errorf("encode catalog: %w", err)
	}
	c := store.Catalog{
		PipelineTag: clean(doc.PipelineTag), LibraryName: clean(doc.LibraryName), SDK: clean(doc.SDK), MainSize: mainSize,
		Derived: text,
	}
	for _, l := range doc.Tags {
		c.Labels = append(c.Labels, clean(l))
	}
	for _, m := range doc.Models {
		c.Links = append(c.Links, "model:"+m)
	}
	for _, d := range doc.Datasets {
		c.Links = append(c.Links, "dataset:"+d)
	}
	switch {
	case doc.Safetensors != nil:
		c.Parameters = doc.Safetensors.Total
	case doc.GGUF != nil:
		c.Parameters = doc.GGUF.Total
	}
	return c, nil
}

// clean makes text of a card fit for a column: PostgreSQL refuses NUL and
// invalid UTF-8.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// deriver reads files of one commit.
type deriver struct {
	repo    *Repo
	reader  git.Reader
	entries map[string]hub.Entry
	paths   []string
}

// text reads a small file; missing, large and purged ones are empty.
func (d *deriver) text(ctx context.Context, name string, limit int64) ([]byte, error) {
	e, ok := d.entries[name]
	if !ok || e.Size > limit {
		return nil, nil
	}
	if e.LFS != nil {
		return d.storedText(ctx, e)
	}
	o, err := d.reader.Object(ctx, e.OID)
	if err != nil {
		return nil, err
	}
	return d.repo.svc.readObject(ctx, o)
}

func (d *deriver) storedText(ctx context.Context, e hub.Entry) ([]byte, error) {
	f, err := content.OpenStored(ctx, d.repo.svc.cas, e.LFS.Xet)
	if errors.Is(err, hub.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f.Reader())
}

// maxWeightShards bounds how many headers one commit reads.
const maxWeightShards = 1000

// safetensors counts the parameters of the checkpoint at the top of the
// repository, nil if there is none or it is malformed.
func (d *deriver) safetensors(ctx context.Context, config []byte) *safetensors.Summary {
	files, claimed := d.weightShards(ctx)
	if len(files) == 0 || len(files) > maxWeightShards {
		return nil
	}
	var cfg struct {
		Quantization safetensors.Quantization `json:"quantization_config"`
	}
	_ = json.Unmarshal(config, &cfg) // no or broken config: not quantised
	total := safetensors.Summary{Parameters: map[string]int64{}}
	for _, name := range files {
		one, err := d.repo.svc.weightSummary(ctx, d.entries[name], cfg.Quantization)
		if err != nil {
			d.repo.svc.log.Info("safetensors header not read", "repo", d.repo.Name, "file", name, "err", err)
			return nil
		}
		for dtype, n := range one.Parameters {
			total.Parameters[dtype] += n
		}
		total.Total += one.Total
	}
	if claimed > 0 && claimed < total.Total {
		total.Total = claimed
	}
	return &total
}

// weightShards names the files of the checkpoint.
func (d *deriver) weightShards(ctx context.Context) (files []string, claimed int64) {
	if text, err := d.text(ctx, indexFile, maxSmall); err == nil && text != nil {
		if index, err := safetensors.ParseIndex(text); err == nil {
			for _, name := range index.Shards() {
				if _, ok := d.entries[name]; ok {
					files = append(files, name)
				}
			}
			return files, index.TotalParameters
		}
	}
	for _, name := range []string{"model.safetensors", "adapter_model.safetensors"} {
		if _, ok := d.entries[name]; ok {
			return []string{name}, 0
		}
	}
	for _, p := range d.paths {
		if strings.HasSuffix(p, ".safetensors") && !strings.Contains(p, "/") {
			files = append(files, p)
		}
	}
	return files, 0
}

// headerCache remembers what headers of large files said: a commit to the card
// of a checkpoint of a hundred files need not read a hundred headers. Headers
// are read a few at a time, since a hostile one costs memory.
type headerCache struct {
	weights *otter.Cache[weightKey, outcome[safetensors.Summary]]
	ggufs   *otter.Cache[hub.SHA256, outcome[gguf.Summary]]
	reading chan struct{}
}

// outcome is what reading a header gave: content never changes, so neither does
// a failure to parse it.
type outcome[V any] struct {
	value V
	err   error
}

type weightKey struct {
	sha          hub.SHA256
	quantization string
}

const (
	maxHeaders     = 20_000
	headersAtATime = 2
)

func newHeaderCache() (*headerCache, error) {
	weights, err := otter.New(&otter.Options[weightKey, outcome[safetensors.Summary]]{MaximumSize: maxHeaders})
	if err != nil {
		return nil, fmt.Errorf("header cache: %w", err)
	}
	ggufs, err := otter.New(&otter.Options[hub.SHA256, outcome[gguf.Summary]]{MaximumSize: maxHeaders / 10})
	if err != nil {
		return nil, fmt.Errorf("header cache: %w", err)
	}
	return &headerCache{weights: weights, ggufs: ggufs, reading: make(chan struct{}, headersAtATime)}, nil
}

// remembered returns what is known under a key, reading it first if nothing is.
func remembered[K comparable, V any](ctx context.Context, h *headerCache, cache *otter.Cache[K, outcome[V]], key K, read func() (V, error)) (V, error) {
	if o, ok := cache.GetIfPresent(key); ok {
		return o.value, o.err
	}
	var zero V
	select {
	case h.reading <- struct{}{}:
		defer func() { <-h.reading }()
	case <-ctx.Done():
		return zero, ctx.Err()
	}
	v, err := read()
	if err == nil || errors.Is(err, safetensors.ErrFormat) || errors.Is(err, gguf.ErrFormat) {
		cache.Set(key, outcome[V]{value: v, err: err})
	}
	return v, err
}

// weightSummary counts the parameters of one weight shard.
func (s *Service) weightSummary(ctx context.Context, e hub.Entry, q safetensors.Quantization) (safetensors.Summary, error) {
	if e.LFS == nil {
		return safetensors.Summary{}, fmt.Errorf("%s is no large file", e.Path)
	}
	text, err := json.Marshal(q)
	if err != nil {
		return safetensors.Summary{}, err
	}
	key := weightKey{sha: e.LFS.OID, quantization: string(text)}
	return remembered(ctx, s.headers, s.headers.weights, key, func() (safetensors.Summary, error) {
		f, err := content.OpenStored(ctx, s.cas, e.LFS.Xet)
		if err != nil {
			return safetensors.Summary{}, err
		}
		defer f.Close()
		h, err := safetensors.ReadHeader(f, f.Size(), safetensors.MaxHubHeader)
		if err != nil {
			return safetensors.Summary{}, err
		}
		return safetensors.Summarize([]*safetensors.Header{h}, q, h.Claimed()), nil
	})
}

var ggufPart = regexp.MustCompile(`^(.*)-\d{5}-of-(\d{5})\.gguf$`)

// gguf describes the repository's GGUF model: its first file in path order,
// with the other parts if it is split. Projectors of images are not it.
func (d *deriver) gguf(ctx context.Context) *gguf.Summary {
	var files []string
	for _, p := range d.paths {
		if !strings.HasSuffix(p, ".gguf") || strings.Contains(strings.ToLower(path.Base(p)), "mmproj") {
			continue
		}
		if len(files) == 0 {
			files = append(files, p)
			continue
		}
		first, next := ggufPart.FindStringSubmatch(files[0]), ggufPart.FindStringSubmatch(p)
		if first != nil && next != nil && first[1] == next[1] && first[2] == next[2] {
			files = append(files, p)
		}
	}
	if len(files) == 0 || len(files) > maxWeightShards {
		return nil
	}
	var total gguf.Summary
	for i, name := range files {
		one, err := d.repo.svc.ggufSummary(ctx, d.entries[name])
		if err != nil {
			d.repo.svc.log.Info("gguf header not read", "repo", d.repo.Name, "file", name, "err", err)
			return nil
		}
		if i == 0 { // the first part holds the key/values
			total = one
			continue
		}
		total.Total += one.Total
		total.TotalFileSize += one.TotalFileSize
	}
	return &total
}

// ggufSummary describes one GGUF file.
func (s *Service) ggufSummary(ctx context.Context, e hub.Entry) (gguf.Summary, error) {
	if e.LFS == nil {
		return gguf.Summary{}, fmt.Errorf("%s is no large file", e.Path)
	}
	return remembered(ctx, s.headers, s.headers.ggufs, e.LFS.OID, func() (gguf.Summary, error) {
		f, err := content.OpenStored(ctx, s.cas, e.LFS.Xet)
		if err != nil {
			return gguf.Summary{}, err
		}
		defer f.Close()
		h, err := gguf.ReadHeader(f, f.Size())
		if err != nil {
			return gguf.Summary{}, err
		}
		return gguf.Summarize([]*gguf.Header{h})
	})
}
