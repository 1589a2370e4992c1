// Command inferbench is Pantry's side of bench/inference: it opens a model and
// then does one round of work for each line on standard input, so that the
// script can take turns with a peer on the same machine. After each round it
// prints a line of JSON with the seconds.
//
//	inferbench features MODEL SENTENCES.json
//	inferbench images MODEL PICTURE…
//	inferbench zero-shot-images MODEL LABELS.json PICTURE…
//	inferbench translate MODEL SENTENCES.json TOKENS
//	inferbench load MODEL
//	inferbench memory MODEL
//
// The count of memory is the most bytes the process has held, mapped files
// included, once it has read 512 tokens and written 8.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/pantryhub/pantry/transformers"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "inferbench:", err)
		os.Exit(1)
	}
}

// round is one round of work; the result says how much was done.
type round func(ctx context.Context) (int, error)

func run(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("want a task and a model")
	}
	ctx := context.Background()
	if args[0] == "load" {
		return serve(ctx, func(ctx context.Context) (int, error) { return 1, load(ctx, args[1]) })
	}
	if args[0] == "memory" {
		return serve(ctx, func(ctx context.Context) (int, error) { return memory(ctx, args[1]) })
	}
	m, err := transformers.Open(ctx, args[1], transformers.Options{})
	if err != nil {
		return err
	}
	defer m.Close()
	work, err := prepare(m, args)
	if err != nil {
		return err
	}
	return serve(ctx, work)
}

func prepare(m *transformers.Model, args []string) (round, error) {
	switch {
	case args[0] == "features" && len(args) == 3:
		return features(m, args[2])
	case args[0] == "images" && len(args) > 2:
		return images(m, args[2:])
	case args[0] == "zero-shot-images" && len(args) > 3:
		return zeroShotImages(m, args[2], args[3:])
	case args[0] == "translate" && len(args) == 4:
		return translate(m, args[2], args[3])
	}
	return nil, fmt.Errorf("unknown task or missing arguments: %s", strings.Join(args, " "))
}

// serve does a round for each line and reports it.
func serve(ctx context.Context, work round) error {
	lines := bufio.NewScanner(os.Stdin)
	fmt.Println(`{"ready":true}`)
	for lines.Scan() {
		start := time.Now()
		n, err := work(ctx)
		if err != nil {
			return err
		}
		fmt.Printf(`{"seconds":%.6f,"count":%d,"threads":%d}`+"\n", time.Since(start).Seconds(), n, runtime.GOMAXPROCS(0))
	}
	return lines.Err()
}

func sentences(path string) ([]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var list []string
	return list, json.Unmarshal(data, &list)
}

func features(m *transformers.Model, path string) (round, error) {
	list, err := sentences(path)
	if err != nil {
		return nil, err
	}
	p, err := m.FeatureExtraction()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (int, error) {
		v, err := p.Run(ctx, list, transformers.FeatureExtractionParameters{})
		return len(v), err
	}, nil
}

func images(m *transformers.Model, paths []string) (round, error) {
	p, err := m.ImageClassification()
	if err != nil {
		return nil, err
	}
	return pictures(paths, func(ctx context.Context, picture io.Reader) error {
		_, err := p.Run(ctx, picture, transformers.ImageClassificationParameters{})
		return err
	})
}

func zeroShotImages(m *transformers.Model, labels string, paths []string) (round, error) {
	list, err := sentences(labels)
	if err != nil {
		return nil, err
	}
	p, err := m.ZeroShotImageClassification()
	if err != nil {
		return nil, err
	}
	return pictures(paths, func(ctx context.Context, picture io.Reader) error {
		_, err := p.Run(ctx, picture, transformers.ZeroShotImageClassificationParameters{CandidateLabels: list, HypothesisTemplate: "{}"})
		return err
	})
}

// pictures is a round of one classification after the other.
func pictures(paths []string, classify func(context.Context, io.Reader) error) (round, error) {
	var files [][]byte
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		files = append(files, data)
	}
	return func(ctx context.Context) (int, error) {
		for _, data := range files {
			if err := classify(ctx, bytes.NewReader(data)); err != nil {
				return 0, err
			}
		}
		return len(files), nil
	}, nil
}

func translate(m *transformers.Model, path, tokens string) (round, error) {
	list, err := sentences(path)
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(tokens)
	if err != nil {
		return nil, err
	}
	p, err := m.Translation()
	if err != nil {
		return nil, err
	}
	// Random weights do not know when to end, so both sides write n tokens.
	settings := p.Defaults()
	settings.NumBeams, settings.MaxNewTokens, settings.MinNewTokens, settings.DoSample = 1, n, n, false
	settings.ForcedEOSTokenID = nil
	return func(ctx context.Context) (int, error) {
		out, err := p.Run(ctx, list, transformers.TranslationParameters{Generate: &settings})
		return len(out) * n, err
	}, nil
}

// load opens a model and runs one short text, which touches every weight.
func load(ctx context.Context, model string) error {
	m, err := transformers.Open(ctx, model, transformers.Options{})
	if err != nil {
		return err
	}
	defer m.Close()
	_, err = m.TextGeneration()
	return err
}

// memory is the peak of the process after a prompt of 512 tokens and 8 more.
func memory(ctx context.Context, model string) (int, error) {
	m, err := transformers.Open(ctx, model, transformers.Options{})
	if err != nil {
		return 0, err
	}
	defer m.Close()
	p, err := m.TextGeneration()
	if err != nil {
		return 0, err
	}
	o := p.Defaults()
	o.MaxNewTokens, o.MinNewTokens, o.DoSample = 8, 8, false
	if _, err := p.Run(ctx, strings.Repeat("the ", 510), o); err != nil {
		return 0, err
	}
	return peak()
}

// peak is VmHWM: ru_maxrss would count what the parent held before exec.
func peak() (int, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if kB, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kB), "kB")))
			return n << 10, err
		}
	}
	return 0, errors.New("no VmHWM in /proc/self/status")
}
