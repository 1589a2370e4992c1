package image

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Files is where the settings of a Processor come from.
type Files struct {
	// Preprocessor is preprocessor_config.json, or nil.
	Preprocessor []byte
	// Processor is processor_config.json, or nil. If it has an
	// "image_processor", as transformers 5 writes it, that is used.
	Processor []byte
	// ModelType is "model_type" of config.json. It names the class of the
	// processor where the other files do not.
	ModelType string
}

// Config is the settings of a Processor. They carry the names of the files'.
type Config struct {
	Type          string // of the class, "ViTImageProcessor"
	DoResize      bool
	Size          Size
	Resample      Resampling
	CropPct       float64 // only of ConvNextImageProcessor
	DoCenterCrop  bool
	CropSize      Size
	DoRescale     bool
	RescaleFactor float64
	DoNormalize   bool
	ImageMean     [3]float64
	ImageStd      [3]float64
}

// Size is either Height and Width, or ShortestEdge with LongestEdge as an
// optional bound, in pixels. Zero means absent.
type Size struct {
	Height       int `json:"height"`
	Width        int `json:"width"`
	ShortestEdge int `json:"shortest_edge"`
	LongestEdge  int `json:"longest_edge"`
}

// maxEdge bounds the sizes that settings ask for.
const maxEdge = 8192

var (
	imagenetMean, imagenetStd = [3]float64{0.485, 0.456, 0.406}, [3]float64{0.229, 0.224, 0.225}
	standardMean, standardStd = [3]float64{0.5, 0.5, 0.5}, [3]float64{0.5, 0.5, 0.5}
	clipMean, clipStd         = [3]float64{0.48145466, 0.4578275, 0.40821073}, [3]float64{0.26862954, 0.26130258, 0.27577711}
)

// class is a processor class of transformers: its defaults.
type class struct {
	Config
	// edge says that a size given as one number means the shortest edge
	// (default_to_square = False).
	edge bool
}

func newClass(size Size, resample Resampling, mean, std [3]float64) class {
	return class{Config: Config{
		DoResize: true, Size: size, Resample: resample,
		DoRescale: true, RescaleFactor: 1.0 / 255,
		DoNormalize: true, ImageMean: mean, ImageStd: std,
	}}
}

func (c class) cropped(size int) class {
	c.DoCenterCrop, c.CropSize = true, Size{Height: size, Width: size}
	return c
}

func (c class) byEdge() class {
	c.edge = true
	return c
}

// classes are the supported processors by name. Those of later families that
// only differ in their defaults cost a line here.
var classes = func() map[string]class {
	square := func(n int) Size { return Size{Height: n, Width: n} }
	edge := func(n int) Size { return Size{ShortestEdge: n} }
	convNext := newClass(edge(384), Bicubic, standardMean, standardStd).byEdge()
	convNext.CropPct = 224.0 / 256
	beit := newClass(square(224), Bicubic, standardMean, standardStd).cropped(224)
	beit.DoCenterCrop = false
	return map[string]class{
		"BeitImageProcessor":     beit,
		"BitImageProcessor":      newClass(edge(224), Bicubic, clipMean, clipStd).cropped(224).byEdge(),
		"CLIPImageProcessor":     newClass(edge(224), Bicubic, clipMean, clipStd).cropped(224).byEdge(),
		"ConvNextImageProcessor": convNext,
		"DeiTImageProcessor":     newClass(square(256), Bicubic, standardMean, standardStd).cropped(224),
		"PvtImageProcessor":      newClass(square(224), Bicubic, imagenetMean, imagenetStd),
		"SiglipImageProcessor":   newClass(square(224), Bicubic, standardMean, standardStd).byEdge(),
		"ViTImageProcessor":      newClass(square(224), Bilinear, standardMean, standardStd),
	}
}()

// classOf is the class of a model type, as in transformers' table.
var classOf = map[string]string{
	"beit": "BeitImageProcessor", "data2vec-vision": "BeitImageProcessor",
	"bit": "BitImageProcessor", "dinov2": "BitImageProcessor", "focalnet": "BitImageProcessor", "hiera": "BitImageProcessor",
	"clip": "CLIPImageProcessor", "clip_vision_model": "CLIPImageProcessor",
	"convnext": "ConvNextImageProcessor", "convnextv2": "ConvNextImageProcessor", "cvt": "ConvNextImageProcessor",
	"regnet": "ConvNextImageProcessor", "resnet": "ConvNextImageProcessor",
	"deit": "DeiTImageProcessor",
	"pvt":  "PvtImageProcessor", "pvt_v2": "PvtImageProcessor",
	"siglip": "SiglipImageProcessor",
	"vit":    "ViTImageProcessor", "vit_mae": "ViTImageProcessor", "vit_msn": "ViTImageProcessor",
	"swin": "ViTImageProcessor", "swinv2": "ViTImageProcessor", "dinat": "ViTImageProcessor", "ijepa": "ViTImageProcessor",
}

// settings is the JSON of a processor. Absent and null mean the class's.
type settings struct {
	Type             string          `json:"image_processor_type"`
	FeatureExtractor string          `json:"feature_extractor_type"` // before transformers 4.26
	DoResize         *bool           `json:"do_resize"`
	Size             json.RawMessage `json:"size"`
	DefaultToSquare  *bool           `json:"default_to_square"`
	Resample         *Resampling     `json:"resample"`
	CropPct          *float64        `json:"crop_pct"`
	DoCenterCrop     *bool           `json:"do_center_crop"`
	CropSize         json.RawMessage `json:"crop_size"`
	DoRescale        *bool           `json:"do_rescale"`
	RescaleFactor    *float64        `json:"rescale_factor"`
	DoNormalize      *bool           `json:"do_normalize"`
	ImageMean        json.RawMessage `json:"image_mean"`
	ImageStd         json.RawMessage `json:"image_std"`
	DoPad            *bool           `json:"do_pad"`
}

// ParseConfig reads the settings of a checkpoint.
func ParseConfig(files Files) (Config, error) {
	raw := files.Preprocessor
	if files.Processor != nil {
		var nested struct {
			Image json.RawMessage `json:"image_processor"`
		}
		if err := json.Unmarshal(files.Processor, &nested); err != nil {
			return Config{}, fmt.Errorf("%w: processor_config.json: %w", ErrFormat, err)
		}
		if len(nested.Image) > 0 && string(nested.Image) != "null" {
			raw = nested.Image
		}
	}
	if raw == nil {
		return Config{}, fmt.Errorf("%w: no preprocessor_config.json and no image_processor in processor_config.json", ErrFormat)
	}
	var s settings
	if err := json.Unmarshal(raw, &s); err != nil {
		return Config{}, fmt.Errorf("%w: image processor settings: %w", ErrFormat, err)
	}
	name := s.className(files.ModelType)
	c, ok := classes[name]
	if !ok {
		supported := strings.Join(slices.Sorted(maps.Keys(classes)), ", ")
		return Config{}, fmt.Errorf("%w: image processor %q; supported are %s", ErrUnsupported, name, supported)
	}
	c.Type = name
	if err := s.apply(&c); err != nil {
		return Config{}, fmt.Errorf("%s: %w", name, err)
	}
	return c.Config, c.Config.validate()
}

// className is the class that the settings or else the model type name. The
// suffixes say which backend wrote the file, and choose none.
func (s *settings) className(modelType string) string {
	name := s.Type
	if name == "" {
		name = strings.Replace(s.FeatureExtractor, "FeatureExtractor", "ImageProcessor", 1)
	}
	if name == "" {
		name = classOf[modelType]
	}
	return strings.TrimSuffix(strings.TrimSuffix(name, "Fast"), "Pil")
}

func (s *settings) apply(c *class) error {
	if s.DefaultToSquare != nil {
		c.edge = !*s.DefaultToSquare
	}
	if s.DoPad != nil && *s.DoPad {
		return fmt.Errorf("%w: do_pad", ErrUnsupported)
	}
	override(&c.DoResize, s.DoResize)
	override(&c.Resample, s.Resample)
	override(&c.DoCenterCrop, s.DoCenterCrop)
	override(&c.DoRescale, s.DoRescale)
	override(&c.RescaleFactor, s.RescaleFactor)
	override(&c.DoNormalize, s.DoNormalize)
	if c.CropPct != 0 {
		override(&c.CropPct, s.CropPct)
	}
	if err := parseSize(&c.Size, s.Size, c.edge); err != nil {
		return fmt.Errorf("size: %w", err)
	}
	if err := parseSize(&c.CropSize, s.CropSize, false); err != nil {
		return fmt.Errorf("crop_size: %w", err)
	}
	if err := parseChannels(&c.ImageMean, s.ImageMean); err != nil {
		return fmt.Errorf("image_mean: %w", err)
	}
	if err := parseChannels(&c.ImageStd, s.ImageStd); err != nil {
		return fmt.Errorf("image_std: %w", err)
	}
	return nil
}

func override[T any](dst, src *T) {
	if src != nil {
		*dst = *src
	}
}

// parseSize reads a size as an object, a number or a list of height and width.
func parseSize(dst *Size, raw json.RawMessage, edge bool) error {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	var n int
	if json.Unmarshal(raw, &n) == nil {
		*dst = Size{Height: n, Width: n}
		if edge {
			*dst = Size{ShortestEdge: n}
		}
		return nil
	}
	var list []int
	if json.Unmarshal(raw, &list) == nil && len(list) == 2 {
		*dst = Size{Height: list[0], Width: list[1]}
		return nil
	}
	var keys map[string]*int
	if err := json.Unmarshal(raw, &keys); err != nil {
		return fmt.Errorf("%w: %.80s", ErrFormat, raw)
	}
	*dst = Size{}
	for key, value := range keys {
		field, ok := map[string]*int{
			"height": &dst.Height, "width": &dst.Width,
			"shortest_edge": &dst.ShortestEdge, "longest_edge": &dst.LongestEdge,
		}[key]
		if !ok {
			return fmt.Errorf("%w: %q", ErrUnsupported, key)
		}
		override(field, value)
	}
	return nil
}

// parseChannels reads a number for all channels or one for each.
func parseChannels(dst *[3]float64, raw json.RawMessage) error {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	var one float64
	var list []float64
	switch {
	case json.Unmarshal(raw, &one) == nil:
		*dst = [3]float64{one, one, one}
	case json.Unmarshal(raw, &list) == nil && len(list) == 1:
		*dst = [3]float64{list[0], list[0], list[0]}
	case json.Unmarshal(raw, &list) == nil && len(list) == 3:
		*dst = [3]float64(list)
	default:
		return fmt.Errorf("%w: %.80s", ErrFormat, raw)
	}
	return nil
}

// validate refuses settings that no picture can be processed with.
func (c Config) validate() error {
	bad := func(what string) error { return fmt.Errorf("%w: %s: %s", ErrFormat, c.Type, what) }
	for _, n := range []int{
		c.Size.Height, c.Size.Width, c.Size.ShortestEdge, c.Size.LongestEdge,
		c.CropSize.Height, c.CropSize.Width, c.CropSize.ShortestEdge, c.CropSize.LongestEdge,
	} {
		if n < 0 || n > maxEdge {
			return bad(fmt.Sprintf("a size of %d pixels", n))
		}
	}
	if _, ok := filters[c.Resample]; !ok && c.Resample != Nearest {
		return bad(fmt.Sprintf("resample %d", c.Resample))
	}
	exact := c.Size.Height > 0 && c.Size.Width > 0
	switch {
	case c.DoResize && c.CropPct != 0 && (c.Size.ShortestEdge == 0 || c.CropPct <= 0 || float64(c.Size.ShortestEdge)/c.CropPct > maxEdge):
		return bad("size needs a shortest_edge, and crop_pct a sensible share")
	case c.DoResize && !exact && c.Size.ShortestEdge == 0:
		return bad("size needs height and width, or shortest_edge")
	case c.DoCenterCrop && (c.CropSize.Height == 0 || c.CropSize.Width == 0):
		return bad("crop_size needs height and width")
	case c.DoRescale && c.RescaleFactor == 0:
		return bad("rescale_factor is 0")
	case c.DoNormalize && (c.ImageStd[0] == 0 || c.ImageStd[1] == 0 || c.ImageStd[2] == 0):
		return bad("image_std has a 0")
	}
	return nil
}
