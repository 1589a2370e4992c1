package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/client"
	"github.com/pantryhub/pantry/transformers"
)

// localModel is how a command names a model to run.
type localModel struct {
	Model    string `arg:"" help:"Folder, .gguf file, or a repository of a hub: namespace/name, which is downloaded first; of several GGUF files one is named by its format: namespace/name:Q4_K_M."`
	Revision string `env:"-" help:"Branch, tag or commit of a repository; main if not given."`
	Threads  int    `env:"-" help:"Processors to use; all if not given."`

	Quantize string   `env:"-" placeholder:"TYPE" help:"Make the weights smaller when they are read: ${quantizations}. Kept for the next time."`
	Adapter  []string `env:"-" sep:"none" type:"existingdir" placeholder:"DIR" help:"Folder of a LoRA adapter to apply. May be repeated."`
}

// open opens the model, with a bar for what has to be downloaded.
func (l localModel) open(ctx context.Context, streams Streams) (*transformers.Model, error) {
	bar := client.NewBar(streams.Err, isTerminal(streams.Err))
	from, err := client.New(client.Options{Progress: bar})
	if err != nil {
		return nil, err
	}
	o := transformers.Options{Revision: l.Revision, Threads: l.Threads, Client: from, Quantize: l.Quantize, QuantizeProgress: bar}
	for _, dir := range l.Adapter {
		o.Adapters = append(o.Adapters, transformers.AdapterOptions{Path: dir})
	}
	m, err := transformers.Open(ctx, l.Model, o)
	bar.Close()
	if err == nil && m.Unkept() != nil {
		fmt.Fprintf(streams.Err, "The quantised weights could not be kept for the next time: %v\n", m.Unkept())
	}
	return m, userError(err)
}

// userError shows the errors of models and inputs without what operators need.
func userError(err error) error {
	var known *hub.Error
	if err == nil || errors.As(err, &known) || !errors.Is(err, transformers.ErrUnsupported) && !errors.Is(err, transformers.ErrInput) {
		return err
	}
	return hub.Invalidf("%s", err.Error())
}

type pipelineCmd struct {
	Task       string `arg:"" help:"Task, such as text-classification or translation; see below."`
	localModel `embed:""`
	Inputs     []string `arg:"" optional:"" help:"Texts, or files of pictures; - reads the text from standard input."`
	Labels     []string `env:"-" placeholder:"LABEL" help:"Labels to choose from, for the zero-shot tasks."`
	Parameters string   `env:"-" placeholder:"JSON" help:"Parameters of the task, with the names of Hugging Face's inference API; of a generation, with those of generation_config.json."`
	JSON       bool     `name:"json" env:"-" help:"Print JSON."`
}

// Help is shown by --help.
func (pipelineCmd) Help() string {
	var b strings.Builder
	b.WriteString("Example:\n" +
		"  pantry pipeline text-classification ada/sentiment \"What a lovely day\"\n" +
		"  pantry pipeline question-answering ada/squad \"Who wrote it?\" \"Ada wrote the first program.\"\n" +
		"  pantry pipeline zero-shot-classification ada/nli \"The cake is a lie\" --labels food,games\n" +
		"  pantry pipeline image-classification ada/vit cat.jpg --json\n\n" +
		"Tasks and what they take:\n")
	for _, task := range transformers.Tasks() {
		fmt.Fprintf(&b, "  %-31s %s\n", task, transformers.TaskInputs(task))
	}
	return b.String()
}

// Run runs one task once.
func (c *pipelineCmd) Run(ctx context.Context, streams Streams) error {
	parameters, err := c.parameters()
	if err != nil {
		return err
	}
	inputs := make([]string, len(c.Inputs))
	for i, input := range c.Inputs {
		inputs[i] = input
		if input == "-" {
			text, err := io.ReadAll(streams.In)
			if err != nil {
				return err
			}
			inputs[i] = strings.TrimSuffix(string(text), "\n")
		}
	}
	m, err := c.open(ctx, streams)
	if err != nil {
		return err
	}
	defer m.Close()
	run, err := m.Pipeline(c.Task)
	if err != nil {
		return userError(err)
	}
	out, err := run(ctx, inputs, parameters)
	if err != nil {
		return userError(err)
	}
	if c.JSON {
		enc := json.NewEncoder(streams.Out)
		enc.SetEscapeHTML(false)
		return enc.Encode(out)
	}
	return printOutput(forPeople(streams.Out), out, inputs)
}

// parameters are those of --parameters, with --labels.
func (c *pipelineCmd) parameters() (json.RawMessage, error) {
	if len(c.Labels) == 0 {
		return json.RawMessage(c.Parameters), nil
	}
	all := map[string]any{}
	if c.Parameters != "" {
		if err := json.Unmarshal([]byte(c.Parameters), &all); err != nil {
			return nil, hub.Invalidf("--parameters is not a JSON object: %v.", err)
		}
	}
	all["candidate_labels"] = c.Labels
	return json.Marshal(all)
}

// printOutput prints what a task returned for its inputs.
func printOutput(w io.Writer, out any, inputs []string) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	switch out := out.(type) {
	case transformers.TextGenerationOutput:
		fmt.Fprintln(table, out.GeneratedText)
	case []transformers.TextGenerationOutput:
		for _, o := range out {
			fmt.Fprintln(table, o.GeneratedText)
		}
	case []transformers.ClassificationOutput:
		printLabels(table, out)
	case [][]transformers.ClassificationOutput:
		for _, labels := range out {
			printLabels(table, labels)
			fmt.Fprintln(table)
		}
	case []transformers.TokenClassificationOutputElement:
		for _, e := range out {
			fmt.Fprintf(table, "%s\t%s\t%.3f\t%d–%d\n", e.Word, e.Entity+e.EntityGroup, e.Score, e.Start, e.End)
		}
	case []transformers.QuestionAnsweringOutputElement:
		for _, e := range out {
			fmt.Fprintf(table, "%s\t%.3f\t%d–%d\n", e.Answer, e.Score, e.Start, e.End)
		}
	case [][]transformers.FillMaskOutputElement:
		for _, words := range out {
			for _, e := range words {
				fmt.Fprintf(table, "%s\t%.3f\t%s\n", strings.TrimSpace(e.TokenStr), e.Score, e.Sequence)
			}
		}
	case []transformers.TranslationOutput:
		for _, e := range out {
			fmt.Fprintln(table, e.TranslationText)
		}
	case []transformers.SummarizationOutput:
		for _, e := range out {
			fmt.Fprintln(table, e.SummaryText)
		}
	case []transformers.TextRankingOutputElement:
		for _, e := range out {
			fmt.Fprintf(table, "%d\t%.4f\t%s\n", e.Index, e.Score, inputs[1+e.Index])
		}
	default: // vectors
		return json.NewEncoder(w).Encode(out)
	}
	return table.Flush()
}

func printLabels(w io.Writer, labels []transformers.ClassificationOutput) {
	for _, l := range labels {
		fmt.Fprintf(w, "%s\t%.4f\n", l.Label, l.Score)
	}
}
