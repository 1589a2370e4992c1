package hubapi

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/httpx"
	"github.com/pantryhub/pantry/internal/store"
)

const (
	listPage    = 1000
	maxListPage = 1000
)

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}

// sorts are the names that clients give to orders. Likes stand in for trends:
// nothing counts them over time yet.
var sorts = map[string]store.Sort{
	"": store.SortCreated, "createdAt": store.SortCreated, "created_at": store.SortCreated,
	"lastModified": store.SortUpdated, "last_modified": store.SortUpdated, "updatedAt": store.SortUpdated,
	"downloads": store.SortDownloads, "likes": store.SortLikes, "likes30d": store.SortLikes,
	"trendingScore": store.SortLikes, "trending_score": store.SortLikes,
	"num_parameters": store.SortParameters, "mainSize": store.SortMainSize, "id": store.SortID, "_id": store.SortID,
}

// list answers GET /api/{type}s.
func (s *Server) list(t hub.RepoType) httpx.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		actor, err := s.actor(r)
		if err != nil {
			return err
		}
		fields, err := listedFields(t, r)
		if err != nil {
			return err
		}
		f, none, err := decodeFilter(t, r)
		if err != nil {
			return err
		}
		if none {
			return httpx.JSON(w, http.StatusOK, []any{})
		}
		f.Detail = needsAny(fields, "cardData", "config", "safetensors", "gguf", "transformersInfo", "widgetData",
			"model-index", "mask_token", "baseModels", "citation", "description", "paperswithcode_id", "datasets", "models", "title")
		f.Head = needsAny(fields, "sha", "siblings")
		rows, err := s.repos.List(r.Context(), actor, f)
		if err != nil {
			return err
		}
		if len(rows) == f.Limit {
			next := encodeListCursor(f.Sort.CursorOf(rows[len(rows)-1].Repo))
			httpx.NextLink(w, r, s.base(r), map[string]string{"cursor": next})
		}
		out := make([]map[string]any, len(rows))
		for i, rp := range rows {
			sub := &subject{ctx: r.Context(), rp: rp}
			if out[i], err = sub.object(fields); err != nil {
				return err
			}
		}
		return httpx.JSON(w, http.StatusOK, out)
	}
}

func needsAny(fields []string, names ...string) bool {
	for _, n := range names {
		if contains(fields, n) {
			return true
		}
	}
	return false
}

// listedFields decides what each element shows.
func listedFields(t hub.RepoType, r *http.Request) ([]string, error) {
	expand, err := expandFields(t, httpx.List(r, "expand"))
	if err != nil || len(expand) > 0 {
		return expand, err
	}
	fields := slices.Clone(listFields[t])
	add := func(names ...string) {
		for _, n := range names {
			if !contains(fields, n) {
				fields = append(fields, n)
			}
		}
	}
	if httpx.Bool(r, "full") {
		add(fullFields[t]...)
	}
	for _, name := range []string{"config", "cardData"} {
		if _, ok := properties[t][name]; ok && httpx.Bool(r, name) {
			add(name)
		}
	}
	return fields, nil
}

// decodeFilter reads the query of a list. none is true when the filter asks
// for something that no repository of this hub can have.
func decodeFilter(t hub.RepoType, r *http.Request) (f store.Filter, none bool, err error) {
	q := r.URL.Query()
	f = store.Filter{Type: t, Owner: q.Get("author"), PipelineTag: q.Get("pipeline_tag"), Library: q.Get("library")}
	if f.Limit, err = httpx.Limit(r, listPage, maxListPage); err != nil {
		return f, false, err
	}
	var ok bool
	if f.Sort, ok = sorts[q.Get("sort")]; !ok {
		return f, false, hub.Invalidf("sort must be one of createdAt, lastModified, downloads, likes, trendingScore, num_parameters, mainSize, id")
	}
	for _, s := range append(q["search"], q["q"]...) {
		if s = strings.TrimSpace(s); s != "" {
			f.Search = append(f.Search, s)
		}
	}
	for _, v := range append(httpx.List(r, "filter"), httpx.List(r, "tags")...) {
		for label := range strings.SplitSeq(v, ",") {
			if label = strings.TrimSpace(label); label != "" {
				f.Labels = append(f.Labels, label)
			}
		}
	}
	for _, key := range []string{"datasets", "models"} {
		for _, v := range httpx.List(r, key) {
			f.Labels = append(f.Labels, strings.TrimSuffix(key, "s")+":"+v)
		}
	}
	if g := q.Get("gated"); g != "" {
		on := httpx.Bool(r, "gated")
		f.Gated = &on
	}
	if err := decodeParameters(q.Get("num_parameters"), &f); err != nil {
		return f, false, err
	}
	if f.After, err = decodeListCursor(q.Get("cursor")); err != nil {
		return f, false, err
	}
	apps, none := appLabels(httpx.List(r, "apps"))
	f.Labels = append(f.Labels, apps...)
	// Nothing serves inference yet, so no model is warm or has a provider.
	none = none || q.Get("inference") != "" || q.Get("inference_provider") != ""
	return f, none, nil
}

// ggufApps are local applications that run GGUF files.
var ggufApps = map[string]bool{
	"llama.cpp": true, "ollama": true, "lmstudio": true, "jan": true, "koboldcpp": true, "localai": true,
	"llama-cpp-python": true, "docker-model-runner": true, "sanctum": true, "msty": true, "recursechat": true, "lemonade": true,
}

// appLabels turns application names into the labels of what they can load.
func appLabels(values []string) (labels []string, none bool) {
	for _, v := range values {
		for app := range strings.SplitSeq(v, ",") {
			switch {
			case app == "":
			case ggufApps[app]:
				labels = append(labels, "gguf")
			case app == "vllm" || app == "sglang":
				labels = append(labels, "transformers", "text-generation")
			default:
				return nil, true
			}
		}
	}
	return labels, false
}

// decodeParameters reads "min:6B,max:128B".
func decodeParameters(s string, f *store.Filter) error {
	if s == "" {
		return nil
	}
	for part := range strings.SplitSeq(s, ",") {
		key, number, ok := strings.Cut(strings.TrimSpace(part), ":")
		n, good := parseCount(number)
		switch {
		case ok && good && key == "min":
			f.MinParams = n
		case ok && good && key == "max":
			f.MaxParams = n
		default:
			return hub.Invalidf(`num_parameters must look like "min:6B,max:128B"`)
		}
	}
	return nil
}

// parseCount reads a number with an optional K, M, B or T.
func parseCount(s string) (int64, bool) {
	s = strings.TrimSpace(s)
	scale := 1.0
	if s != "" {
		switch s[len(s)-1] {
		case 'k', 'K':
			scale = 1e3
		case 'm', 'M':
			scale = 1e6
		case 'b', 'B', 'g', 'G':
			scale = 1e9
		case 't', 'T':
			scale = 1e12
		}
		if scale > 1 {
			s = s[:len(s)-1]
		}
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || v < 0 || v*scale > 1e18 {
		return 0, false
	}
	return int64(v * scale), true
}

func encodeListCursor(c store.Cursor) string {
	b, _ := json.Marshal([2]int64{c.Value, c.ID}) // integers always encode
	return base64.RawURLEncoding.EncodeToString(b)
}

func decodeListCursor(s string) (*store.Cursor, error) {
	if s == "" {
		return nil, nil
	}
	var pair [2]int64
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		err = json.Unmarshal(b, &pair)
	}
	if err != nil {
		return nil, hub.Invalidf("The cursor is malformed.")
	}
	return &store.Cursor{Value: pair[0], ID: pair[1]}, nil
}

// labelGroups are the groups of …-tags-by-type: a name and the prefix of its
// labels.
var labelGroups = map[hub.RepoType]map[string]string{
	hub.Model: {"license": "license:", "dataset": "dataset:", "other": ""},
	hub.Dataset: {"license": "license:", "language": "language:", "task_categories": "task_categories:",
		"task_ids": "task_ids:", "size_categories": "size_categories:", "format": "format:", "modality": "modality:"},
}

const maxLabels = 500

// tagsByType answers GET /api/models-tags-by-type and its like: the labels in
// use, by group.
func (s *Server) tagsByType(t hub.RepoType) httpx.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		out := map[string][]map[string]any{}
		only := r.URL.Query().Get("type")
		for group, prefix := range labelGroups[t] {
			if only != "" && only != group {
				continue
			}
			labels, err := s.repos.Labels(r.Context(), t, prefix, maxLabels)
			if err != nil {
				return err
			}
			out[group] = []map[string]any{}
			for _, l := range labels {
				if prefix == "" && strings.Contains(l.Label, ":") {
					continue
				}
				out[group] = append(out[group], map[string]any{
					"id": l.Label, "label": strings.TrimPrefix(l.Label, prefix), "type": group, "count": l.Count,
				})
			}
		}
		return httpx.JSON(w, http.StatusOK, out)
	}
}
