package transformers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pantryhub/pantry/gguf"
	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/client"
	"github.com/pantryhub/pantry/transformers/checkpoint"
)

// Locate finds the folder or .gguf file of a model by a name that Open takes, and
// downloads it if need be. Errors are Open's.
func Locate(ctx context.Context, name string, o Options) (string, error) {
	repo, variant := name, ""
	info, err := os.Stat(repo)
	if errors.Is(err, fs.ErrNotExist) {
		repo, variant = client.CutVariant(name)
		info, err = os.Stat(repo)
	}
	if o.File != "" {
		variant = o.File
	}
	switch {
	case err == nil && info.IsDir():
		return locateIn(repo, variant)
	case err == nil && variant != "":
		return "", fmt.Errorf("%w: %s is a file, which has no file %s", ErrInput, repo, variant)
	case err == nil:
		return repo, nil
	}
	source, parseErr := client.ParseSource(repo)
	if parseErr != nil || client.IsPath(repo) {
		return "", fmt.Errorf("open model %s: %w", name, err)
	}
	if o.Revision != "" {
		source.Revision = hub.Revision(o.Revision)
	}
	return download(ctx, source, variant, o.Client)
}

// download brings a model into the cache; c may be nil.
func download(ctx context.Context, s client.Source, variant string, c *client.Client) (string, error) {
	if c == nil {
		var err error
		if c, err = client.New(client.Options{}); err != nil {
			return "", err
		}
	}
	chosen, asked := "", false
	dir, err := c.Snapshot(ctx, s, client.Selection{Exclude: unread, Choose: func(paths []string) (take []string, err error) {
		asked = true
		take, chosen, err = modelFiles(paths, variant)
		return take, err
	}})
	switch {
	case err != nil:
		return "", err
	case !asked: // no hub and no listing of the commit: whatever is in the cache
		return locateIn(dir, variant)
	}
	return filepath.Join(dir, filepath.FromSlash(chosen)), nil
}

// unread are files of a repository that no pipeline reads: other formats of
// the same weights, and pictures. modelFiles leaves out pickles itself.
var unread = []string{"*.h5", "*.msgpack", "*.onnx", "onnx/*", "openvino/*", "*.ot", "*.tflite", "*.mlmodel", "coreml/*",
	"*.pt", "*.pth", "original/*", "consolidated*", "*.ckpt", "*.pkl", "*.jpg", "*.jpeg", "*.png", "*.gif", "*.mp4"}

// locateIn finds the model in a folder: the folder itself, or the GGUF file
// that variant means.
func locateIn(dir, variant string) (string, error) {
	var paths []string
	for _, pattern := range []string{"*", "*/*.gguf"} {
		found, err := fs.Glob(os.DirFS(dir), pattern)
		if err != nil {
			return "", err
		}
		paths = append(paths, found...)
	}
	_, chosen, err := modelFiles(paths, variant)
	return filepath.Join(dir, filepath.FromSlash(chosen)), err
}

// modelFiles are those of a folder's or a repository's files that make one
// model: all that are neither GGUF files nor pickles, or, if there are no other
// weights or variant names one, a GGUF file, which is then chosen; see
// gguf.Choose.
func modelFiles(paths []string, variant string) (files []string, chosen string, err error) {
	models := gguf.Models(paths)
	weights := slices.ContainsFunc(paths, isWeights)
	if !weights && len(models) == 0 && slices.ContainsFunc(paths, isPickle) {
		return nil, "", checkpoint.ErrPickle // before anything is downloaded
	}
	if variant == "" && (len(models) == 0 || weights) {
		return slices.DeleteFunc(slices.Clone(paths), func(p string) bool { return path.Ext(p) == ".gguf" || path.Ext(p) == ".bin" }), "", nil
	}
	parts, err := gguf.Choose(models, variant)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrInput, err)
	}
	if n := gguf.Parts(parts[0]); n > 1 {
		return nil, "", fmt.Errorf("%w: the GGUF model %s is split into %d files; join them with llama-gguf-split --merge, or choose another", ErrUnsupported, parts[0], n)
	}
	return parts[:1], parts[0], nil
}

// isPickle reports whether a path is one that PyTorch's weights have.
func isPickle(p string) bool { return strings.HasPrefix(p, "pytorch_model") && path.Ext(p) == ".bin" }

// isWeights reports whether a path is that of weights beside config.json.
func isWeights(p string) bool { return path.Ext(p) == ".safetensors" && path.Dir(p) == "." }
