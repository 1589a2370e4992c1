package card

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pantryhub/pantry/hub"
)

// Report is the answer of /api/validate-yaml. A card with errors is refused
// with status 400, one with warnings is not.
type Report struct {
	Errors   []Message `json:"errors"`
	Warnings []Message `json:"warnings"`
}

// Message is one remark. Clients print Message.
type Message struct {
	Message string `json:"message"`
}

const (
	missingMetadata = "empty or missing yaml metadata in repo card"
	invalidMetadata = "The YAML metadata of your README.md is invalid."

	maxShortDescription = 60
	maxRemarks          = 50
)

// Validate checks the front matter of a README.md. Unknown keys are accepted.
func Validate(t hub.RepoType, readme []byte) Report {
	r := Report{Errors: []Message{}, Warnings: []Message{}}
	front, _, ok := Split(readme)
	if !ok {
		r.warn(missingMetadata)
		return r
	}
	c, err := Parse(readme)
	var syntax *SyntaxError
	switch {
	case errors.As(err, &syntax):
		r.fail("Invalid YAML in README.md: %s", syntax)
	case errors.Is(err, ErrNotMapping) && strings.HasPrefix(strings.TrimSpace(string(front)), "-"):
		r.fail(`"value" must be of type object`)
	case err != nil || c.Data == nil:
		r.fail(invalidMetadata)
	default:
		r.check(t, c.Data)
	}
	return r
}

func (r *Report) fail(format string, args ...any) {
	if len(r.Errors) < maxRemarks {
		r.Errors = append(r.Errors, Message{fmt.Sprintf(format, args...)})
	}
}

func (r *Report) warn(format string, args ...any) {
	if len(r.Warnings) < maxRemarks {
		r.Warnings = append(r.Warnings, Message{fmt.Sprintf(format, args...)})
	}
}

func (r *Report) check(t hub.RepoType, d Data) {
	r.checkLicense(d)
	r.array(d, "tags")
	switch t {
	case hub.Space:
		r.checkSpace(d)
	case hub.Dataset:
		r.checkLanguage(d)
		r.checkDataset(d)
	default:
		r.checkLanguage(d)
		r.checkModel(d)
	}
}

func (r *Report) checkLicense(d Data) {
	for at, v := range items(d, "license") {
		if s, ok := v.(string); !ok || !oneOf(licenses, s) {
			r.fail("%q must be one of [%s]", at, listed(licenses))
		}
	}
}

var languageCode = regexp.MustCompile(`^[a-z]{2,3}$`)

func (r *Report) checkLanguage(d Data) {
	for at, v := range items(d, "language") {
		s, ok := v.(string)
		switch {
		case !ok:
			r.fail("%q must be a string", at)
		case strings.ToLower(s) != s:
			r.fail("%q must only contain lowercase characters", at)
		case !languageCode.MatchString(s) && !oneOf("code multilingual", s):
			r.fail(`%q with value %q is not valid. It must be an ISO 639-1, 639-2 or 639-3 code (two/three letters), or a special value like "code", "multilingual". If you want to use BCP-47 identifiers, you can specify them in language_bcp47.`, at, s)
		}
	}
}

// items yields a field's value, or each item if it is a list, with the path
// that messages give it. An absent or null field yields nothing.
func items(d Data, key string) func(yield func(string, any) bool) {
	return func(yield func(string, any) bool) {
		switch v := d[key].(type) {
		case nil:
		case []any:
			for i, item := range v {
				if !yield(fmt.Sprintf("%s[%d]", key, i), item) {
					return
				}
			}
		default:
			yield(key, v)
		}
	}
}

// array checks a field that must be a list of scalars.
func (r *Report) array(d Data, key string) {
	v, present := d[key]
	if !present || v == nil {
		return
	}
	list, ok := v.([]any)
	if !ok {
		r.fail("%q must be an array", key)
		return
	}
	for i, item := range list {
		if _, ok := item.(string); !ok {
			r.fail("%q must be a string", fmt.Sprintf("%s[%d]", key, i))
		}
	}
}

// str checks a field that must be a string.
func (r *Report) str(d Data, key string) {
	if v := d[key]; v != nil {
		if _, ok := v.(string); !ok {
			r.fail("%q must be a string", key)
		}
	}
}

// strs checks a field that must be a string or a list of them.
func (r *Report) strs(d Data, key string) {
	for at, v := range items(d, key) {
		if _, ok := v.(string); !ok {
			r.fail("%q must be a string", at)
		}
	}
}

// repoReference is the id of a repository in a card: one or two segments.
var repoReference = regexp.MustCompile(`^[A-Za-z0-9_][\w.-]*(?:/[A-Za-z0-9_][\w.-]*)?$`)

// references checks a field that names repositories.
func (r *Report) references(d Data, key, kind string) {
	for at, v := range items(d, key) {
		s, ok := v.(string)
		switch {
		case !ok:
			r.fail("%q must be a string", at)
		case len(s) > 193 || !repoReference.MatchString(s):
			r.fail("%q with value %q is not valid. Use a %s id from https://hf.co/%ss.", at, s, kind, kind)
		}
	}
}

func (r *Report) checkModel(d Data) {
	r.str(d, "pipeline_tag")
	if s := d.Text("pipeline_tag"); s != "" && !oneOf(pipelineTags, s) {
		r.warn("The pipeline tag %q is not in the official list: %s", s, listed(pipelineTags))
	}
	r.str(d, "library_name")
	r.references(d, "base_model", "model")
	if s := d.Text("base_model_relation"); s != "" && !oneOf(relations, s) {
		r.fail("%q must be one of [%s]", "base_model_relation", listed(relations))
	}
	r.references(d, "datasets", "dataset")
	r.strs(d, "metrics")
	r.checkModelIndex(d["model-index"])
}

// checkModelIndex checks the structure of evaluation results.
func (r *Report) checkModelIndex(v any) {
	if v == nil {
		return
	}
	models, ok := v.([]any)
	if !ok {
		r.fail("%q must be an array", "model-index")
		return
	}
	for i, m := range models {
		at := fmt.Sprintf("model-index[%d]", i)
		m, ok := m.(map[string]any)
		if !ok {
			r.fail("%q must be of type object", at)
			continue
		}
		r.required(m, at, "name")
		results, ok := m["results"].([]any)
		if !ok {
			r.fail("%q is required", at+".results")
			continue
		}
		for j, result := range results {
			r.checkResult(fmt.Sprintf("%s.results[%d]", at, j), result)
		}
	}
}

func (r *Report) checkResult(at string, v any) {
	result, ok := v.(map[string]any)
	if !ok {
		r.fail("%q must be of type object", at)
		return
	}
	if task, ok := result["task"].(map[string]any); ok {
		r.required(task, at+".task", "type")
	} else {
		r.fail("%q is required", at+".task")
	}
	if dataset, ok := result["dataset"].(map[string]any); ok {
		r.required(dataset, at+".dataset", "type")
		r.required(dataset, at+".dataset", "name")
	}
	metrics, ok := result["metrics"].([]any)
	if !ok {
		r.fail("%q is required", at+".metrics")
		return
	}
	for i, m := range metrics {
		at := fmt.Sprintf("%s.metrics[%d]", at, i)
		m, ok := m.(map[string]any)
		if !ok {
			r.fail("%q must be of type object", at)
			continue
		}
		r.required(m, at, "type")
		if _, ok := m["value"]; !ok {
			r.fail("%q is required", at+".value")
		}
	}
}

func (r *Report) required(m map[string]any, at, key string) {
	switch m[key].(type) {
	case string:
	case nil:
		r.fail("%q is required", at+"."+key)
	default:
		r.fail("%q must be a string", at+"."+key)
	}
}

func (r *Report) checkDataset(d Data) {
	for _, s := range d.List("task_categories") {
		if !oneOf(pipelineTags, s) {
			r.warn("The task_categories %q is not in the official list: %s", s, listed(pipelineTags))
		}
	}
	for _, s := range d.List("task_ids") {
		if !oneOf(taskIDs, s) {
			r.warn("The task_ids %q is not in the official list: %s", s, listed(taskIDs))
		}
	}
	for at, v := range items(d, "size_categories") {
		if s, ok := v.(string); !ok || !oneOf(sizes, s) {
			r.fail("%q must be one of [%s]", at, listed(sizes))
		}
	}
	for i, c := range itemsOf(d["configs"]) {
		c, ok := c.(map[string]any)
		if !ok {
			r.fail("%q must be of type object", fmt.Sprintf("configs[%d]", i))
			continue
		}
		if c["config_name"] == nil {
			r.fail("%q is required", fmt.Sprintf("configs[%d].config_name", i))
		}
	}
}

func (r *Report) checkSpace(d Data) {
	for _, key := range []string{"title", "emoji", "app_file"} {
		r.str(d, key)
	}
	for _, key := range []string{"colorFrom", "colorTo"} {
		r.choice(d, key, colors)
	}
	r.choice(d, "sdk", sdks)
	r.str(d, "short_description")
	if utf8.RuneCountInString(d.Text("short_description")) > maxShortDescription {
		r.fail("%q length must be less than or equal to %d characters", "short_description", maxShortDescription)
	}
	r.references(d, "models", "model")
	r.references(d, "datasets", "dataset")
}

func (r *Report) choice(d Data, key, list string) {
	if v := d[key]; v != nil {
		if s, ok := v.(string); !ok || !oneOf(list, s) {
			r.fail("%q must be one of [%s]", key, listed(list))
		}
	}
}

// oneOf reports whether s is a word of list.
func oneOf(list, s string) bool {
	for word := range strings.FieldsSeq(list) {
		if word == s {
			return true
		}
	}
	return false
}

func listed(list string) string { return strings.Join(strings.Fields(list), ", ") }

func itemsOf(v any) []any {
	list, _ := v.([]any)
	return list
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }
