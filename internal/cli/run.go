package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/pantryhub/pantry/transformers"
	"github.com/pantryhub/pantry/transformers/chat"
)

type runCmd struct {
	localModel  `embed:""`
	Prompt      string  `arg:"" optional:"" help:"What to ask; without one, a chat begins. - reads it from standard input."`
	System      string  `env:"-" placeholder:"TEXT" help:"System message."`
	MaxTokens   int     `env:"-" default:"0" help:"Longest answer in tokens; what fits if not given."`
	Temperature float64 `env:"-" default:"-1" help:"0 takes the likeliest token, higher is more varied; the model's own if not given."`
	Seed        int64   `env:"-" default:"-1" help:"Makes the answer repeatable."`
	Raw         bool    `env:"-" help:"Continue the prompt as it is, without the chat template."`
	Verbose     bool    `short:"v" env:"-" help:"Print the speed after each answer."`
}

// Help is shown by --help.
func (runCmd) Help() string {
	return `Example:
  pantry run ada/llama "Why is the sky blue?"
  pantry run ./model.gguf
  git diff | pantry run ada/llama - --system "Write a commit message for this diff."

In a chat, /help lists the commands. Ctrl-C stops an answer; Ctrl-D, or Ctrl-C before a question, ends the chat.`
}

// Run answers one prompt, or chats.
func (c *runCmd) Run(ctx context.Context, streams Streams) error {
	m, err := c.open(ctx, streams)
	if err != nil {
		return err
	}
	defer m.Close()
	p, err := m.TextGeneration()
	if err != nil {
		return userError(err)
	}
	o := p.Defaults()
	o.MaxNewTokens = c.MaxTokens
	if c.Temperature >= 0 {
		o.Temperature, o.DoSample = c.Temperature, c.Temperature > 0
	}
	if c.Seed >= 0 {
		o.Seed = &c.Seed
	}
	t := &talk{pipeline: p, parameters: o, system: c.System, raw: c.Raw || !p.CanChat(), out: streams.Out, terminal: isTerminal(streams.Out), notes: streams.Err, verbose: c.Verbose}
	if c.Prompt == "" {
		return t.chat(ctx, streams)
	}
	prompt := c.Prompt
	if prompt == "-" {
		text, err := io.ReadAll(streams.In)
		if err != nil {
			return err
		}
		prompt = string(text)
	}
	return userError(t.answer(ctx, prompt))
}

// talk is a conversation in the terminal.
type talk struct {
	pipeline   *transformers.TextGenerationPipeline
	parameters transformers.TextGenerationParameters
	system     string
	raw        bool // without a chat template
	messages   []chat.Message
	out, notes io.Writer
	terminal   bool // out is one
	verbose    bool
	last       string // speed of the last answer
}

// answer streams the answer to a message and remembers both.
func (t *talk) answer(ctx context.Context, text string) error {
	var started, first time.Time
	started = time.Now()
	o := t.parameters
	o.Stream = func(s transformers.TextGenerationStreamOutput) {
		if first.IsZero() {
			first = time.Now()
		}
		text := s.Text
		if t.terminal {
			text = strings.Map(harmless, text)
		}
		io.WriteString(t.out, text)
	}
	var result transformers.TextGenerationOutput
	var err error
	if t.raw {
		result, err = t.pipeline.Run(ctx, text, o)
	} else {
		asked := append(t.history(), chat.Message{Role: "user", Content: chat.Text(text)})
		result, err = t.pipeline.Chat(ctx, chat.Input{Messages: asked, AddGenerationPrompt: true}, o)
		if err == nil {
			t.messages = append(t.messages, asked[len(asked)-1], chat.Message{Role: "assistant", Content: chat.Text(result.GeneratedText)})
		}
	}
	if err == nil || !first.IsZero() { // end the line of what was written
		fmt.Fprintln(t.out)
	}
	if err != nil {
		return err
	}
	t.last = speed(result.Details, first.Sub(started), time.Since(first))
	if t.verbose {
		fmt.Fprintln(t.notes, t.last)
	}
	return nil
}

func (t *talk) history() []chat.Message {
	var all []chat.Message
	if t.system != "" {
		all = append(all, chat.Message{Role: "system", Content: chat.Text(t.system)})
	}
	return append(all, t.messages...)
}

// speed describes an answer: prompt and generation apart, because they are
// limited by different things.
func speed(d transformers.TextGenerationOutputDetails, prefill, decode time.Duration) string {
	per := func(n int, t time.Duration) float64 { return float64(n) / max(t.Seconds(), 1e-9) }
	return fmt.Sprintf("[prompt %d tokens, %d remembered, %.1f/s · answer %d tokens, %.1f/s · %s]",
		d.PromptTokens, d.ReusedTokens, per(d.PromptTokens-d.ReusedTokens, prefill),
		d.GeneratedTokens, per(max(d.GeneratedTokens-1, 0), decode), d.FinishReason)
}

// chat reads messages and answers them until the input ends.
func (t *talk) chat(ctx context.Context, streams Streams) error {
	read := lineReader(streams)
	if isTerminal(streams.Err) {
		fmt.Fprintln(t.notes, "Ask away. /help lists the commands, Ctrl-D ends the chat.")
	}
	for {
		line, err := read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		line = strings.TrimSpace(line)
		switch {
		case line == "":
		case strings.HasPrefix(line, "/"):
			if t.command(line) {
				return nil
			}
		default:
			if err := t.interruptible(ctx, line); err != nil {
				return err
			}
		}
	}
}

// interruptible answers; Ctrl-C stops the answer, not the chat.
func (t *talk) interruptible(ctx context.Context, line string) error {
	answering, stop := signal.NotifyContext(context.WithoutCancel(ctx), os.Interrupt)
	defer stop()
	err := t.answer(answering, line)
	switch {
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(t.notes, "Stopped.")
		return nil
	case errors.Is(err, transformers.ErrInput):
		fmt.Fprintln(t.notes, err)
		return nil
	}
	return err
}

const chatHelp = `/clear              forget the conversation
/system TEXT        set the system message and forget the conversation
/set NAME VALUE     set a parameter: temperature, top_k, top_p, min_p, max_new_tokens, repetition_penalty, seed
/stats              speed of the last answer
/bye                end the chat`

// command runs a /command and reports whether the chat ends.
func (t *talk) command(line string) (end bool) {
	name, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	switch name {
	case "/bye", "/exit", "/quit":
		return true
	case "/clear":
		t.messages = nil
		fmt.Fprintln(t.notes, "Forgotten.")
	case "/system":
		t.system, t.messages = rest, nil
		fmt.Fprintln(t.notes, "The conversation begins anew.")
	case "/stats":
		fmt.Fprintln(t.notes, t.last)
	case "/set":
		if err := t.set(rest); err != nil {
			fmt.Fprintln(t.notes, err)
		}
	case "/help", "/?":
		fmt.Fprintln(t.notes, chatHelp)
	default:
		fmt.Fprintf(t.notes, "%s is no command. /help lists them.\n", name)
	}
	return false
}

// set changes a parameter by its name in generation_config.json.
func (t *talk) set(assignment string) error {
	name, value, ok := strings.Cut(assignment, " ")
	if !ok || !json.Valid([]byte(value)) {
		return errors.New("Write /set NAME VALUE, for example /set temperature 0.7")
	}
	changed := t.parameters
	d := json.NewDecoder(strings.NewReader(fmt.Sprintf("{%q: %s}", name, value)))
	d.DisallowUnknownFields()
	if err := d.Decode(&changed.Config); err != nil {
		return fmt.Errorf("cannot set %s: %w", name, err)
	}
	if name == "temperature" {
		changed.DoSample = changed.Temperature > 0
	}
	if err := changed.Validate(); err != nil {
		return err
	}
	t.parameters = changed
	return nil
}

// lineReader reads lines: with editing and history from a terminal, plainly
// from anything else.
func lineReader(streams Streams) func() (string, error) {
	in, isFile := streams.In.(*os.File)
	if !isFile || !term.IsTerminal(int(in.Fd())) {
		lines := bufio.NewReader(streams.In)
		return func() (string, error) {
			line, err := lines.ReadString('\n')
			if errors.Is(err, io.EOF) && line != "" {
				err = nil
			}
			return line, err
		}
	}
	editor := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{in, streams.Err}, ">>> ")
	return func() (string, error) {
		// The terminal is raw only while a line is edited, so that an answer's
		// line ends and Ctrl-C work as usual.
		state, err := term.MakeRaw(int(in.Fd()))
		if err != nil {
			return "", err
		}
		defer term.Restore(int(in.Fd()), state)
		if width, height, err := term.GetSize(int(in.Fd())); err == nil && width > 0 {
			editor.SetSize(width, height)
		}
		return editor.ReadLine()
	}
}
