package web

import (
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"strings"
	"time"
)

//go:embed templates
var templateFiles embed.FS

// parseTemplates returns the pages by name: each is its own file over the
// layout and the partials.
func parseTemplates(a assets, now func() time.Time) (map[string]*template.Template, error) {
	shared, err := template.New("").Funcs(template.FuncMap{
		"asset":  a.url,
		"ago":    func(t time.Time) string { return ago(now(), t) },
		"stamp":  stamp,
		"bytes":  formatBytes,
		"count":  formatCount,
		"number": formatNumber,
		"plural": plural,
		"lower":  strings.ToLower,
		"dict":   dict,
	}).ParseFS(templateFiles, "templates/layout.html", "templates/partials.html", "templates/icons.html")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	files, err := fs.Glob(templateFiles, "templates/page/*.html")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	pages := map[string]*template.Template{}
	for _, file := range files {
		t, err := template.Must(shared.Clone()).ParseFS(templateFiles, file) // never executed yet, so Clone cannot fail
		if err != nil {
			return nil, fmt.Errorf("templates: %w", err)
		}
		pages[strings.TrimSuffix(path.Base(file), ".html")] = t
	}
	return pages, nil
}

// dict makes the data of a partial from names and values.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict: odd number of arguments")
	}
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: argument %d is no name", i)
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}
