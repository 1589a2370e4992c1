package generate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Config are the settings of a generation, with the names of
// generation_config.json. Start from DefaultConfig or ReadConfig, then set the
// fields, or decode a request's JSON into it: what that leaves out stays.
type Config struct {
	// MaxNewTokens ends the generation after so many tokens; 0 leaves it to
	// MaxLength, which counts the prompt too. 0 in both means no limit but the
	// model's context.
	MaxNewTokens int `json:"max_new_tokens,omitempty"`
	MaxLength    int `json:"max_length,omitempty"`
	// MinNewTokens and MinLength keep the end-of-sequence tokens from coming
	// earlier; MinLength counts the prompt.
	MinNewTokens int `json:"min_new_tokens,omitempty"`
	MinLength    int `json:"min_length,omitempty"`

	// DoSample draws tokens at random; otherwise the likeliest is taken.
	DoSample    bool    `json:"do_sample"`
	Temperature float64 `json:"temperature"` // divides the logits; 0 is greedy, as is anything under 1e-5
	TopK        int     `json:"top_k"`       // keeps the k likeliest; 0 is off
	TopP        float64 `json:"top_p"`       // keeps the likeliest with this probability together; 1 is off
	MinP        float64 `json:"min_p,omitempty"`
	TypicalP    float64 `json:"typical_p"` // 1 is off
	// Seed makes the choices repeatable. Without one they are not.
	Seed *int64 `json:"seed,omitempty"`

	RepetitionPenalty float64 `json:"repetition_penalty"` // of tokens in prompt or output; 1 is off
	FrequencyPenalty  float64 `json:"frequency_penalty,omitempty"`
	PresencePenalty   float64 `json:"presence_penalty,omitempty"`
	NoRepeatNgramSize int     `json:"no_repeat_ngram_size,omitempty"`
	// LogitBias is added to the logits of tokens, as in the OpenAI API.
	LogitBias map[uint32]float32 `json:"logit_bias,omitempty"`

	BadWordsIDs                   [][]uint32   `json:"bad_words_ids,omitempty"` // token sequences that must not come
	SuppressTokens                IDs          `json:"suppress_tokens,omitempty"`
	BeginSuppressTokens           IDs          `json:"begin_suppress_tokens,omitempty"` // not as the first token
	ForcedBOSTokenID              IDs          `json:"forced_bos_token_id,omitempty"`   // first token behind a prompt of one
	ForcedEOSTokenID              IDs          `json:"forced_eos_token_id,omitempty"`   // at the length limit
	ExponentialDecayLengthPenalty *LengthDecay `json:"exponential_decay_length_penalty,omitempty"`
	RemoveInvalidValues           bool         `json:"remove_invalid_values,omitempty"`
	RenormalizeLogits             bool         `json:"renormalize_logits,omitempty"`

	NumBeams           int           `json:"num_beams"`
	LengthPenalty      float64       `json:"length_penalty"` // exponent of the length that beam scores are divided by
	EarlyStopping      EarlyStopping `json:"early_stopping"`
	NumReturnSequences int           `json:"num_return_sequences"`

	BOSTokenID          IDs `json:"bos_token_id,omitempty"`
	EOSTokenID          IDs `json:"eos_token_id,omitempty"`
	PadTokenID          IDs `json:"pad_token_id,omitempty"`
	DecoderStartTokenID IDs `json:"decoder_start_token_id,omitempty"`

	StopStrings Strings `json:"stop_strings,omitempty"`

	// LogProbs asks for the log probability of each token, TopLogProbs for
	// those of the likeliest so many beside it.
	LogProbs    bool `json:"logprobs,omitempty"`
	TopLogProbs int  `json:"top_logprobs,omitempty"`
}

// DefaultConfig are the defaults of transformers, except that the length has
// no limit of 20 tokens.
func DefaultConfig() Config {
	return Config{
		Temperature: 1, TopK: 50, TopP: 1, TypicalP: 1, RepetitionPenalty: 1,
		NumBeams: 1, LengthPenalty: 1, NumReturnSequences: 1,
	}
}

// unsupported are settings that would change the output if they were not
// ignored.
var unsupported = map[string]string{
	"guidance_scale": "1", "encoder_repetition_penalty": "1", "encoder_no_repeat_ngram_size": "0",
	"penalty_alpha": "0", "num_beam_groups": "1", "diversity_penalty": "0", "constraints": "", "force_words_ids": "",
	"dola_layers": "", "watermarking_config": "", "sequence_bias": "", "epsilon_cutoff": "0", "eta_cutoff": "0", "top_h": "",
}

// ReadConfig reads generation_config.json over the defaults. Settings that
// have no effect on the tokens are ignored; those that would have one and are
// not supported are an error.
func ReadConfig(data []byte) (Config, error) {
	c := DefaultConfig()
	if err := json.Unmarshal(data, &c); err != nil {
		return Config{}, fmt.Errorf("generation config: %w", err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return Config{}, fmt.Errorf("generation config: %w", err)
	}
	for name, neutral := range unsupported {
		v := string(all[name])
		if v != "" && v != "null" && v != neutral && v != neutral+".0" && v != "[]" {
			return Config{}, fmt.Errorf("generation config: %s is not supported", name)
		}
	}
	return c, c.Validate()
}

// Validate says what is wrong with a setting.
func (c *Config) Validate() error {
	checks := []struct {
		ok   bool
		name string
		v    any
	}{
		{c.MaxNewTokens >= 0 && c.MaxNewTokens <= maxCount, "max_new_tokens", c.MaxNewTokens},
		{c.MaxLength >= 0 && c.MaxLength <= maxCount, "max_length", c.MaxLength},
		{c.Temperature >= 0, "temperature", c.Temperature},
		{c.TopK >= 0, "top_k", c.TopK},
		{c.TopP >= 0 && c.TopP <= 1, "top_p", c.TopP},
		{c.MinP >= 0 && c.MinP <= 1, "min_p", c.MinP},
		{c.TypicalP > 0 && c.TypicalP <= 1, "typical_p", c.TypicalP},
		{c.RepetitionPenalty > 0, "repetition_penalty", c.RepetitionPenalty},
		{c.NoRepeatNgramSize >= 0 && c.NoRepeatNgramSize <= maxCount, "no_repeat_ngram_size", c.NoRepeatNgramSize},
		{c.NumBeams >= 1 && c.NumBeams <= 1024, "num_beams", c.NumBeams},
		{c.NumReturnSequences >= 1 && c.NumReturnSequences <= 1024, "num_return_sequences", c.NumReturnSequences},
		{c.TopLogProbs >= 0, "top_logprobs", c.TopLogProbs},
	}
	for _, check := range checks {
		if !check.ok {
			return fmt.Errorf("generation config: %s cannot be %v", check.name, check.v)
		}
	}
	switch {
	case c.NumBeams > 1 && c.NumReturnSequences > c.NumBeams:
		return fmt.Errorf("generation config: num_return_sequences %d is over num_beams %d", c.NumReturnSequences, c.NumBeams)
	case c.NumBeams == 1 && c.NumReturnSequences > 1 && !c.Samples():
		return errors.New("generation config: several sequences need do_sample or beams")
	case slices.ContainsFunc(c.BadWordsIDs, func(w []uint32) bool { return len(w) == 0 }):
		return errors.New("generation config: bad_words_ids has an empty sequence")
	case slices.Contains(c.StopStrings, ""):
		return errors.New("generation config: a stop string is empty")
	}
	return nil
}

// Samples tells whether tokens are drawn at random.
func (c *Config) Samples() bool { return c.DoSample && c.Temperature >= coldest }

// coldest is the temperature under which the likeliest token is certain, and
// dividing by it would overflow.
const coldest = 1e-5

// maxCount bounds the numbers of tokens in settings.
const maxCount = 1 << 31

// MaxTotal is the length of prompt and output at which generation ends, no
// longer than the model's context; limit 0 stands for a context without end.
func (c *Config) MaxTotal(prompt, limit int) int {
	n := c.MaxLength
	if c.MaxNewTokens > 0 {
		n = prompt + c.MaxNewTokens
	}
	if n == 0 || limit > 0 && n > limit {
		n = limit
	}
	return n
}

// IDs are token ids. In JSON a single number stands for a list of one, and
// null or a negative number for none.
type IDs []uint32

// UnmarshalJSON reads a number, a list or null.
func (ids *IDs) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	var many []int64
	if data[0] != '[' {
		many = []int64{0}
		if err := json.Unmarshal(data, &many[0]); err != nil {
			return err
		}
	} else if err := json.Unmarshal(data, &many); err != nil {
		return err
	}
	*ids = nil
	for _, id := range many {
		if id >= 1<<31 {
			return fmt.Errorf("token id %d is out of range", id)
		}
		if id >= 0 {
			*ids = append(*ids, uint32(id))
		}
	}
	return nil
}

// Contains tells whether id is one of them.
func (ids IDs) Contains(id uint32) bool { return slices.Contains(ids, id) }

// Strings in JSON are a list, or a string that stands for a list of one.
type Strings []string

// UnmarshalJSON reads a string, a list or null.
func (s *Strings) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	if data[0] == '"' {
		*s = make(Strings, 1)
		return json.Unmarshal(data, &(*s)[0])
	}
	return json.Unmarshal(data, (*[]string)(s))
}

// EarlyStopping says when beam search ends. In JSON: false, true or "never".
type EarlyStopping uint8

// The conditions at which beam search ends.
const (
	EarlyStopHeuristic EarlyStopping = iota // false: when better results are unlikely
	EarlyStopFull                           // true: as soon as there are num_beams of them
	EarlyStopNever                          // "never": when there cannot be better ones
)

var earlyStoppings = []string{"false", "true", `"never"`}

// UnmarshalJSON reads a bool or "never".
func (e *EarlyStopping) UnmarshalJSON(data []byte) error {
	i := slices.Index(earlyStoppings, string(data))
	if string(data) == "null" {
		return nil
	}
	if i < 0 {
		return fmt.Errorf(`early_stopping is %s, want false, true or "never"`, data)
	}
	*e = EarlyStopping(i)
	return nil
}

// MarshalJSON is the opposite of UnmarshalJSON.
func (e EarlyStopping) MarshalJSON() ([]byte, error) { return []byte(earlyStoppings[e]), nil }

// LengthDecay makes the end of the sequence likelier from the new token Start
// on, by Factor for each token more. In JSON it is the list [start, factor].
type LengthDecay struct {
	Start  int
	Factor float64
}

// UnmarshalJSON reads [start, factor].
func (d *LengthDecay) UnmarshalJSON(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	var pair []float64
	if err := dec.Decode(&pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return fmt.Errorf("exponential_decay_length_penalty has %d numbers, want 2", len(pair))
	}
	*d = LengthDecay{int(pair[0]), pair[1]}
	return nil
}

// MarshalJSON is the opposite of UnmarshalJSON.
func (d LengthDecay) MarshalJSON() ([]byte, error) {
	return json.Marshal([]float64{float64(d.Start), d.Factor})
}

// errLength says that there is no room for a token.
func errLength(prompt, limit int) error {
	if limit == 0 {
		return errors.New("generate: beam search needs max_new_tokens or max_length")
	}
	return fmt.Errorf("generate: the prompt has %d tokens, and the sequence may have %d", prompt, limit)
}
