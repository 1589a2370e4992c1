package gguf

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// part matches the path of a file of a model that is split.
var part = regexp.MustCompile(`(?i)^(.*)-(\d{5})-of-(\d{5})\.gguf$`)

// Parts is in how many files a model is, by the path of one of them; 1 if it is
// not split.
func Parts(name string) int {
	if m := part.FindStringSubmatch(name); m != nil {
		n, _ := strconv.Atoi(m[3]) // five digits
		return n
	}
	return 1
}

// Models are the models among the files of a folder or repository, each with
// the paths of its parts in order, sorted by their first. Files that go with a
// model are none: projectors of images (mmproj) and importance matrices.
func Models(paths []string) [][]string {
	groups := map[string][]string{}
	for _, p := range paths {
		base := strings.ToLower(path.Base(p))
		if path.Ext(base) != ".gguf" || strings.Contains(base, "mmproj") || strings.Contains(base, "imatrix") {
			continue
		}
		key := p
		if m := part.FindStringSubmatch(p); m != nil {
			key = m[1] + "-of-" + m[3]
		}
		groups[key] = append(groups[key], p)
	}
	var models [][]string
	for _, g := range groups {
		slices.Sort(g)
		models = append(models, g)
	}
	slices.SortFunc(models, func(a, b []string) int { return cmp.Compare(a[0], b[0]) })
	return models
}

// preferred are the quantisations that Choose looks for, as llama.cpp does.
var preferred = []string{"Q4_K_M", "Q8_0"}

// Choose picks one of several models: the one with a file of the path or name
// want, or with want as a word of its name, whatever the case ("Q4_K_M"). If
// want is "", that is Q4_K_M, else Q8_0, else the first. The error lists the
// models if none or more than one is meant.
func Choose(models [][]string, want string) ([]string, error) {
	if len(models) == 0 {
		return nil, fmt.Errorf("there is no .gguf file")
	}
	if want == "" && len(models) == 1 {
		return models[0], nil
	}
	wants := preferred
	if want != "" {
		wants = []string{want}
	}
	for _, w := range wants {
		switch found := named(models, w); {
		case len(found) == 1:
			return found[0], nil
		case len(found) > 1:
			return nil, listed(found, "%d GGUF models are %s", len(found), w)
		}
	}
	if want == "" {
		return models[0], nil
	}
	return nil, listed(models, "none of %d GGUF models is %s", len(models), want)
}

// named are the models that a word means: by the path of a file, or its name,
// or else a word of it.
func named(models [][]string, want string) [][]string {
	word := regexp.MustCompile(`(?i)(?:^|[-./ ])` + regexp.QuoteMeta(want) + `(?:[-./ ]|$)`)
	for _, means := range []func(p string) bool{
		func(p string) bool { return p == want },
		func(p string) bool { return strings.EqualFold(path.Base(p), want) },
		word.MatchString,
	} {
		var found [][]string
		for _, m := range models {
			if slices.ContainsFunc(m, means) {
				found = append(found, m)
			}
		}
		if found != nil {
			return found
		}
	}
	return nil
}

// maxListed is how many models one message lists.
const maxListed = 12

func listed(models [][]string, format string, args ...any) error {
	text := fmt.Sprintf(format, args...) + "; name one of them:"
	for i, m := range models {
		if i == maxListed {
			text += fmt.Sprintf("\n  and %d more", len(models)-maxListed)
			break
		}
		text += "\n  " + m[0]
	}
	return fmt.Errorf("%s", text)
}
