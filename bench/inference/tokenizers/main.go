// Command tokenizers measures how fast package tokenizers encodes, beside the Rust library
// (its Python package, one thread), on the same vocabularies and texts of
// 10 kB, turn by turn. Times are of the processor.
//
//	go run ./bench/inference/tokenizers -python PYTHON [-dir DIR] [-rounds 5]
//
// The first run trains the vocabularies in DIR, which takes minutes.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/pantryhub/pantry/tokenizers"
)

func main() {
	python := flag.String("python", "python3", "a Python with tokenizers 0.23")
	dir := flag.String("dir", filepath.Join(os.TempDir(), "pantry-tokenizers-bench"), "where vocabularies and texts are kept")
	rounds := flag.Int("rounds", 5, "turns of each side; the median counts")
	flag.Parse()
	if err := run(os.Stdout, *python, *dir, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// cpuTime is what the process has used, the garbage collector included: wall
// time says little on a busy machine.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// request asks the peer to encode a corpus once.
type request struct {
	Tokenizer string `json:"tokenizer"`
	Corpus    string `json:"corpus"`
	Fast      bool   `json:"fast"`
}

type reply struct {
	Seconds float64 `json:"seconds"`
	Tokens  int     `json:"tokens"`
	Load    float64 `json:"load"`
}

// peer is the running Python.
type peer struct {
	in  io.Writer
	out *bufio.Scanner
}

func (p *peer) ask(r request) (reply, error) {
	var answer reply
	if err := json.NewEncoder(p.in).Encode(r); err != nil {
		return answer, err
	}
	if !p.out.Scan() {
		return answer, fmt.Errorf("the peer ended: %w", p.out.Err())
	}
	return answer, json.Unmarshal(p.out.Bytes(), &answer)
}

func run(w io.Writer, python, dir string, rounds int) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	command := exec.Command(python, "bench/inference/tokenizers/peer.py", dir, "tokenizers/testdata")
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		return err
	}
	out, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	defer func() {
		in.Close()
		_ = command.Wait()
	}()
	p := &peer{in, bufio.NewScanner(out)}
	if !p.out.Scan() {
		return fmt.Errorf("the peer did not start: %w", p.out.Err())
	}
	fmt.Fprintln(w, "| tokenizer | texts | with offsets: Rust, Pantry MB/s | ratio | ids only: Rust, Pantry MB/s | ratio |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|")
	for _, name := range []string{"bpe-llama3", "bpe-gpt2", "wordpiece", "unigram"} {
		start := cpuTime()
		data, err := os.ReadFile(filepath.Join(dir, name+".tokenizer.json"))
		if err != nil {
			return err
		}
		tok, err := tokenizers.FromJSON(data)
		if err != nil {
			return err
		}
		load := cpuTime() - start
		var peerLoad float64
		for _, corpus := range []string{"english", "code", "mixed"} {
			var texts []string
			data, err := os.ReadFile(filepath.Join(dir, corpus+".texts.json"))
			if err != nil {
				return err
			}
			if err := json.Unmarshal(data, &texts); err != nil {
				return err
			}
			line := fmt.Sprintf("| %s | %s |", name, corpus)
			for _, fast := range []bool{false, true} {
				c := comparison{peer: p, tok: tok, request: request{name, corpus, fast}, texts: texts}
				theirs, ours, err := c.medians(rounds)
				if err != nil {
					return err
				}
				peerLoad = c.load
				line += fmt.Sprintf(" %.1f, %.1f | %.1f |", theirs, ours, ours/theirs)
			}
			fmt.Fprintln(w, line)
		}
		fmt.Fprintf(w, "| %s | load %d kB | %.0f ms, %.0f ms | %.1f | | |\n", name, len(data)>>10, peerLoad*1e3, load.Seconds()*1e3, peerLoad/load.Seconds())
	}
	return nil
}

// comparison encodes one corpus on both sides.
type comparison struct {
	*peer
	tok *tokenizers.Tokenizer
	request
	texts []string
	load  float64
}

// medians are the speeds of both sides in MB/s, after a turn that does not
// count.
func (c *comparison) medians(rounds int) (theirs, ours float64, err error) {
	size := 0
	for _, t := range c.texts {
		size += len(t)
	}
	var a, b []float64
	for round := range rounds + 1 {
		answer, err := c.ask(c.request)
		if err != nil {
			return 0, 0, err
		}
		c.load = answer.Load
		start := cpuTime()
		tokens, err := c.encode()
		if err != nil {
			return 0, 0, err
		}
		seconds := (cpuTime() - start).Seconds()
		if tokens != answer.Tokens {
			return 0, 0, fmt.Errorf("%v: %d tokens, the peer has %d", c.request, tokens, answer.Tokens)
		}
		if round > 0 {
			a = append(a, float64(size)/1e6/answer.Seconds)
			b = append(b, float64(size)/1e6/seconds)
		}
	}
	slices.Sort(a)
	slices.Sort(b)
	return a[len(a)/2], b[len(b)/2], nil
}

func (c *comparison) encode() (tokens int, err error) {
	var ids []tokenizers.ID
	for _, text := range c.texts {
		if c.Fast {
			if ids, err = c.tok.AppendIDs(ids[:0], text, false); err != nil {
				return 0, err
			}
			tokens += len(ids)
			continue
		}
		e, err := c.tok.Encode(text, false)
		if err != nil {
			return 0, err
		}
		tokens += e.Len()
	}
	return tokens, nil
}
