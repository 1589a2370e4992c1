package card

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// dataset fills in what is particular to datasets.
func (in *Input) dataset(d *Derived, l *labels) {
	d.PrettyName = in.Data.Text("pretty_name")
	d.PapersWithCodeID = in.Data.Text("paperswithcode_id")
	for _, key := range []string{"task_categories", "task_ids", "annotations_creators", "language_creators", "multilinguality", "source_datasets", "language", "license"} {
		l.addAll(key+":", in.Data.List(key))
	}
	size := in.Data.List("size_categories")
	if len(size) == 0 {
		size = in.sizeCategory()
	}
	l.addAll("size_categories:", size)
	format := dataFormat(in.Files)
	if format != "" {
		l.add("format:" + format)
	}
	l.addAll("modality:", in.modalities(format))
	if format != "" {
		l.add("library:datasets")
	}
	l.addAll("arxiv:", papers(in.Body))
	l.add(in.region())
	l.add(in.Data.List("tags")...)
}

// sizeCategory counts the examples that dataset_info claims.
func (in *Input) sizeCategory() []string {
	var n float64
	for _, info := range in.infos() {
		for _, split := range itemsOf(info["splits"]) {
			if split, ok := split.(map[string]any); ok {
				n += number(split["num_examples"])
			}
		}
	}
	if n <= 0 {
		return nil
	}
	limit := 1e3
	for size := range strings.FieldsSeq(sizes) {
		if n < limit || strings.HasPrefix(size, "n>") {
			return []string{size}
		}
		limit *= 10
	}
	return nil
}

func number(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	}
	return 0
}

// infos is dataset_info: one mapping, or a list with one for each configuration.
func (in *Input) infos() []map[string]any {
	var out []map[string]any
	switch v := in.Data["dataset_info"].(type) {
	case map[string]any:
		out = append(out, v)
	case []any:
		for _, item := range v {
			if m, ok := item.(map[string]any); ok {
				out = append(out, m)
			}
		}
	}
	return out
}

// formatOf is the format that the datasets library reads a file as, "" if none.
func formatOf(file string) string {
	base := path.Base(file)
	if strings.HasPrefix(base, ".") || strings.HasPrefix(base, "__") || slices.Contains([]string{"README.md", "config.json", "dataset_info.json", "dataset_infos.json", "dataset_dict.json", "dummy_data.zip"}, base) {
		return ""
	}
	ext := strings.ToLower(path.Ext(base))
	if slices.Contains([]string{".gz", ".zst", ".bz2", ".lz4", ".xz"}, ext) {
		ext = strings.ToLower(path.Ext(strings.TrimSuffix(base, path.Ext(base))))
	}
	switch ext {
	case ".csv", ".tsv":
		return "csv"
	case ".json", ".jsonl", ".ndjson":
		return "json"
	case ".parquet", ".geoparquet", ".gpq":
		return "parquet"
	case ".arrow":
		return "arrow"
	case ".txt":
		return "text"
	case ".tar":
		return "webdataset"
	case ".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff":
		return "imagefolder"
	case ".wav", ".mp3", ".flac", ".ogg", ".opus", ".m4a", ".aac":
		return "audiofolder"
	case ".mp4", ".mkv", ".avi", ".mpeg", ".mov", ".webm":
		return "videofolder"
	case ".pdf":
		return "pdffolder"
	}
	return ""
}

// dataFormat is the most frequent format of the files. Ties go to the one that
// the datasets library prefers.
func dataFormat(files []string) string {
	count := map[string]int{}
	for _, f := range files {
		if format := formatOf(f); format != "" {
			count[format]++
		}
	}
	best := ""
	for _, format := range []string{"parquet", "arrow", "json", "csv", "webdataset", "imagefolder", "audiofolder", "videofolder", "pdffolder", "text"} {
		if count[format] > count[best] {
			best = format
		}
	}
	return best
}

// modalities are what the rows hold, as far as the format and the declared
// features show.
func (in *Input) modalities(format string) []string {
	found := map[string]bool{}
	switch format {
	case "imagefolder":
		found["image"] = true
	case "audiofolder":
		found["audio"] = true
	case "videofolder":
		found["video"] = true
	case "pdffolder":
		found["document"] = true
	case "text":
		found["text"] = true
	}
	for _, info := range in.infos() {
		featureModalities(info["features"], found, 0)
	}
	return slices.Sorted(maps.Keys(found))
}

// featureModalities reads the features of dataset_info: a list of mappings
// with a dtype, which may hold further features.
func featureModalities(v any, found map[string]bool, depth int) {
	if depth > 8 {
		return
	}
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			featureModalities(item, found, depth+1)
		}
	case map[string]any:
		for _, key := range []string{"dtype", "struct", "list", "sequence"} {
			featureModalities(v[key], found, depth+1)
		}
	case string:
		switch {
		case v == "string" || v == "large_string":
			found["text"] = true
		case v == "image" || v == "audio" || v == "video":
			found[v] = true
		case strings.HasPrefix(v, "int") || strings.HasPrefix(v, "uint") || strings.HasPrefix(v, "float") || v == "bool":
			if depth <= 3 { // a column of numbers, not a list of them
				found["tabular"] = true
			}
		}
	}
}
