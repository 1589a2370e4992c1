package web

import (
	"fmt"
	"path"
	"strings"

	"github.com/pantryhub/pantry/hub"
)

// snippet is a piece of code that uses a repository.
type snippet struct {
	Title string
	Code  string
}

// snippetsOf shows how a repository is used with the tools that people have,
// once HF_ENDPOINT is set. Everything interpolated is a parsed id.
func snippetsOf(rv *repoVisit) []snippet {
	id, t := rv.rp.Name.String(), rv.rp.Type
	flag, kwarg := "", ""
	if t != hub.Model {
		flag, kwarg = " --repo-type "+string(t), fmt.Sprintf(", repo_type=%q", t)
	}
	var out []snippet
	if title, code := libraryCode(rv); title != "" {
		out = append(out, snippet{title, code})
	}
	return append(out,
		snippet{"hf command", "hf download " + id + flag},
		snippet{"huggingface_hub", fmt.Sprintf("from huggingface_hub import snapshot_download\n\nfolder = snapshot_download(%q%s)", id, kwarg)},
	)
}

// libraryCode is code for the library of a model, or for datasets.
func libraryCode(rv *repoVisit) (title, code string) {
	id, d := rv.rp.Name.String(), rv.details
	switch {
	case rv.rp.Type == hub.Dataset:
		return "datasets", fmt.Sprintf("from datasets import load_dataset\n\nds = load_dataset(%q)", id)
	case rv.rp.Type != hub.Model:
		return "", ""
	}
	switch d.LibraryName {
	case "transformers":
		return "transformers", transformersCode(id, d)
	case "diffusers":
		return "diffusers", fmt.Sprintf("from diffusers import DiffusionPipeline\n\npipe = DiffusionPipeline.from_pretrained(%q)", id)
	case "sentence-transformers":
		return "sentence-transformers", fmt.Sprintf("from sentence_transformers import SentenceTransformer\n\nmodel = SentenceTransformer(%q)\nvectors = model.encode([\"A jar of jam\", \"A shelf of jars\"])", id)
	case "peft":
		return "peft", fmt.Sprintf("from peft import AutoPeftModelForCausalLM\n\nmodel = AutoPeftModelForCausalLM.from_pretrained(%q)", id)
	}
	if d.GGUF != nil {
		return "llama.cpp", "hf download " + id + " --include '*.gguf' --local-dir .\nllama-cli -m FILE.gguf"
	}
	return "", ""
}

func transformersCode(id string, d details) string {
	task := d.PipelineTag
	auto := "AutoModel"
	if d.TransformersInfo != nil && identifier(d.TransformersInfo.AutoModel) {
		auto = d.TransformersInfo.AutoModel
	}
	if knownTasks[task] {
		return fmt.Sprintf("from transformers import pipeline\n\npipe = pipeline(%q, model=%q)", task, id)
	}
	return fmt.Sprintf("from transformers import %s\n\nmodel = %s.from_pretrained(%q)", auto, auto, id)
}

// identifier reports whether s is a plain word of Python: it comes from a
// stranger's file and is shown as code to copy.
func identifier(s string) bool {
	if s == "" || len(s) > 80 {
		return false
	}
	return !strings.ContainsFunc(s, func(c rune) bool {
		return c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	})
}

// fileHints are the commands on a repository's file pages.
type fileHints struct{ Download, Upload string }

func hintsOf(rv *repoVisit, base string) fileHints {
	id, flag := rv.rp.Name.String(), ""
	if rv.rp.Type != hub.Model {
		flag = " --repo-type " + string(rv.rp.Type)
	}
	env := "export HF_ENDPOINT=" + base + "\n"
	return fileHints{
		Download: env + "hf download " + id + flag + " --local-dir " + path.Base(id),
		Upload:   env + "hf upload " + id + flag + " ./my-folder .",
	}
}

// fillHints are the commands on the page of a repository without files or card.
type fillHints struct{ Command, Python, Card, UploadCard string }

func fillHintsOf(rv *repoVisit, base string) fillHints {
	id, t, flag := rv.rp.Name.String(), rv.rp.Type, ""
	if t != hub.Model {
		flag = " --repo-type " + string(t)
	}
	env := "export HF_ENDPOINT=" + base + "\n"
	return fillHints{
		Command: env + "hf auth login\nhf upload " + id + flag + " ./my-folder .",
		Python: fmt.Sprintf("# with HF_ENDPOINT=%s\nfrom huggingface_hub import HfApi\n\nHfApi().upload_folder(\n    repo_id=%q,\n    repo_type=%q,\n    folder_path=\"my-folder\",\n)",
			base, id, t),
		Card:       "---\nlicense: apache-2.0\nlanguage: en\ntags:\n  - example\n---\n\n# " + rv.rp.Name.Name + "\n\nWhat it is, how it was made, what it is good for.",
		UploadCard: env + "hf upload " + id + flag + " README.md",
	}
}
