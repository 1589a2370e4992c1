package housestyle

import (
	"slices"
	"strings"
	"testing"
)

// layer is a height of the module. Imports go down.
type layer string

const (
	vocabulary layer = "vocabulary" // words and parsers of them; no I/O
	formats    layer = "formats"    // codecs, rules and texts; no state
	toolkit    layer = "toolkit"    // models in a program of one's own: knows files, never a hub's insides
	mechanisms layer = "mechanisms" // keep state
	services   layer = "services"   // what a hub does, and who may
	transports layer = "transports" // decode, call one service method, encode
	assembly   layer = "assembly"   // builds everything
	outside    layer = "outside"    // tests, benchmarks: whatever they need
)

// below lists what each layer may import. A transport reaches mechanisms
// through services only.
var below = map[layer][]layer{
	vocabulary: {},
	formats:    {vocabulary, formats},
	toolkit:    {vocabulary, formats, toolkit},
	mechanisms: {vocabulary, formats, mechanisms},
	services:   {vocabulary, formats, mechanisms, services},
	transports: {vocabulary, formats, services},
	assembly:   {vocabulary, formats, toolkit, mechanisms, services, transports, assembly},
	outside:    {vocabulary, formats, toolkit, mechanisms, services, transports, assembly, outside},
}

var layers = map[string]layer{
	"hub": vocabulary,

	"hub/api": formats, "xet": formats, "safetensors": formats, "gguf": formats,
	"internal/attrs": formats, "internal/authz": formats, "internal/card": formats, "internal/config": formats,
	"internal/ratelimit": formats, "internal/render": formats, "internal/sign": formats,

	"internal/kernel": toolkit, "tokenizers": toolkit, "hub/client": toolkit, "internal/inspect": toolkit,
	"transformers": toolkit, "transformers/adapter": toolkit, "transformers/chat": toolkit,
	"transformers/checkpoint": toolkit, "transformers/generate": toolkit, "transformers/image": toolkit,
	"transformers/image/jpeg": toolkit, "transformers/nn": toolkit, "transformers/tensor": toolkit,

	"internal/bucket": mechanisms, "internal/store": mechanisms, "internal/git": mechanisms,
	"internal/cas": mechanisms, "internal/content": mechanisms,

	"internal/identity": services, "internal/lfs": services, "internal/repo": services,

	"internal/http1": transports, "internal/httpx": transports, "internal/authapi": transports, "internal/casapi": transports,
	"internal/githttp": transports, "internal/hubapi": transports, "internal/web": transports,

	"internal/app": assembly, "internal/cli": assembly, "cmd/pantry": assembly,

	"hub/hubtest": outside, "internal/wiretest": outside, "internal/store/storetest": outside,
	"internal/bucket/buckettest": outside, "internal/faults": outside, "internal/housestyle": outside,
	"e2e": outside, "bench/hubbench": outside, "bench/inference/tokenizers": outside, "bench/inferbench": outside, "transformers/models/parity": outside,
}

// layerOf is the layer of a package. The architectures under
// transformers/models need no row each.
func layerOf(pkg string) (layer, bool) {
	if l, ok := layers[pkg]; ok {
		return l, true
	}
	return toolkit, strings.HasPrefix(pkg, "transformers/models/")
}

// exceptions are imports against the table, with the reason.
var exceptions = map[string]string{
	"internal/casapi -> internal/cas":    "the CAS is a service of its own to Xet clients: a token names the repository",
	"internal/hubapi -> internal/store":  "store.Filter and rows are the values of the repo service; no query runs here",
	"internal/web -> internal/store":     "store.Filter and rows are the values of the repo service; no query runs here",
	"internal/authapi -> internal/httpx": httpxReason,
	"internal/casapi -> internal/httpx":  httpxReason,
	"internal/githttp -> internal/httpx": httpxReason,
	"internal/hubapi -> internal/httpx":  httpxReason,
	"internal/web -> internal/httpx":     httpxReason,
	"internal/web -> internal/authapi":   "pages and API know a request's account the same way",
}

const httpxReason = "what transports share"

// TestImportsGoDown reads every import of the module.
func TestImportsGoDown(t *testing.T) {
	used := map[string]bool{}
	for _, s := range sources(t) {
		from, ok := layerOf(s.pkg)
		if !ok {
			t.Errorf("%s: package %s has no layer; give it one in layers_test.go", s.path, s.pkg)
			continue
		}
		if s.isTest() {
			continue
		}
		for _, imported := range s.imports(t) {
			to, ok := layerOf(imported)
			if !ok || slices.Contains(below[from], to) {
				continue
			}
			edge := s.pkg + " -> " + imported
			used[edge] = true
			if exceptions[edge] == "" {
				t.Errorf("%s: %s (%s) imports %s (%s)", s.path, s.pkg, from, imported, to)
			}
		}
	}
	for edge := range exceptions {
		if !used[edge] {
			t.Errorf("the exception %q is not used any more", edge)
		}
	}
}

// owners are the only packages that may import something of the standard
// library or a driver, so that a concept has one place.
var owners = map[string][]string{
	"database/sql":                        {"internal/store", "internal/store/storetest"},
	"modernc.org/sqlite":                  {"internal/store"},
	"github.com/jackc/pgx/v5":             {"internal/store"},
	"github.com/minio/minio-go/v7":        {"internal/bucket"},
	"github.com/alecthomas/kong":          {"internal/cli"},
	"html/template":                       {"internal/web", "internal/render"},
	"github.com/yuin/goldmark":            {"internal/render"},
	"github.com/microcosm-cc/bluemonday":  {"internal/render"},
	"github.com/pierrec/lz4/v4":           {"xet"},
	"github.com/prometheus/client_golang": {"internal/httpx", "internal/app"},
}

// TestOneOwner checks that drivers and the like stay where they belong.
func TestOneOwner(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() || layers[s.pkg] == outside && s.pkg != "internal/store/storetest" {
			continue
		}
		for _, imported := range s.imports(t) {
			for name, allowed := range owners {
				if (imported == name || strings.HasPrefix(imported, name+"/")) && !slices.Contains(allowed, s.pkg) {
					t.Errorf("%s imports %s, which only %v may", s.path, imported, allowed)
				}
			}
		}
	}
}

// TestNoHTTPBelowTransports: whatever knows requests and responses is a
// transport.
func TestNoHTTPBelowTransports(t *testing.T) {
	reasons := map[string]string{
		"hub/api":         "status codes of the error table",
		"hub/client":      "speaks to hubs over HTTP",
		"internal/bucket": "S3 is spoken over HTTP",
	}
	for _, s := range sources(t) {
		switch layers[s.pkg] {
		case transports, assembly, outside:
			continue
		}
		if !s.isTest() && slices.Contains(s.imports(t), "net/http") && reasons[s.pkg] == "" {
			t.Errorf("%s (%s) imports net/http", s.path, layers[s.pkg])
		}
	}
}
