package image

import (
	"fmt"
	"math"

	"github.com/pantryhub/pantry/transformers/tensor"
)

// Processor makes model inputs of pictures. It is immutable: goroutines may
// share it.
type Processor struct {
	config  Config
	backend Backend
	levels  [3][256]float32 // the output of each sample value, by channel
}

// NewProcessor makes the processor of a checkpoint; an empty backend means
// Torchvision, Python's default. ErrUnsupported lists what is supported.
func NewProcessor(files Files, backend Backend) (*Processor, error) {
	config, err := ParseConfig(files)
	if err != nil {
		return nil, err
	}
	switch backend {
	case "":
		backend = Torchvision
	case Torchvision, Pillow:
	default:
		return nil, fmt.Errorf("%w: backend %q; there are %q and %q", ErrUnsupported, backend, Torchvision, Pillow)
	}
	p := &Processor{config: config, backend: backend}
	for c := range p.levels {
		for v := range p.levels[c] {
			p.levels[c][v] = p.level(c, v)
		}
	}
	return p, nil
}

// Config is the settings in force.
func (p *Processor) Config() Config { return p.config }

// level is what a sample value becomes, in the backend's arithmetic.
func (p *Processor) level(channel, value int) float32 {
	c := p.config
	mean, std := float32(c.ImageMean[channel]), float32(c.ImageStd[channel])
	x := float32(value)
	switch {
	case p.backend == Torchvision && c.DoRescale && c.DoNormalize: // in one step
		inverse := float32(1 / c.RescaleFactor)
		return (x - float32(mean*inverse)) / float32(std*inverse)
	case p.backend == Torchvision && c.DoRescale:
		return x * float32(c.RescaleFactor)
	case c.DoRescale:
		x = float32(float64(value) * c.RescaleFactor)
	}
	if c.DoNormalize {
		x = (x - mean) / std
	}
	return x
}

// Process is the picture as (channels, height, width), channels in the order
// red, green, blue. The size depends on the picture only where the settings
// resize by an edge without a crop.
func (p *Processor) Process(img *RGB) (tensor.Tensor, error) {
	if img.Width < 1 || img.Height < 1 || len(img.Pix) != img.Width*img.Height*3 {
		return tensor.Tensor{}, fmt.Errorf("%w: %d × %d pixels of %d bytes", ErrFormat, img.Width, img.Height, len(img.Pix))
	}
	img, err := p.resized(img)
	if err != nil {
		return tensor.Tensor{}, err
	}
	t := tensor.Zeros(3, img.Height, img.Width)
	n := img.Width * img.Height
	red, green, blue := t.Data[:n], t.Data[n:2*n], t.Data[2*n:3*n]
	pix := img.Pix
	for i := range red {
		s := pix[:3:3]
		red[i], green[i], blue[i] = p.levels[0][s[0]], p.levels[1][s[1]], p.levels[2][s[2]]
		pix = pix[3:]
	}
	return t, nil
}

// resized is the picture resized and cropped.
func (p *Processor) resized(img *RGB) (*RGB, error) {
	c := p.config
	height, width := img.Height, img.Width
	crop := Size{}
	if c.DoCenterCrop {
		crop = c.CropSize
	}
	if c.DoResize {
		edge := c.Size.ShortestEdge
		switch {
		case c.CropPct != 0 && edge < 384: // ConvNext: resize to more, then crop
			height, width = byShortestEdge(img.Height, img.Width, int(float64(edge)/c.CropPct))
			var err error
			if img, err = p.window(img, height, width, Size{Height: edge, Width: edge}); err != nil {
				return nil, err
			}
			height, width = edge, edge
		case c.CropPct != 0: // large ones are not cropped but squeezed
			height, width = edge, edge
		case edge > 0 && c.Size.LongestEdge > 0:
			height, width = byBothEdges(img.Height, img.Width, edge, c.Size.LongestEdge)
		case edge > 0:
			height, width = byShortestEdge(img.Height, img.Width, edge)
		default:
			height, width = c.Size.Height, c.Size.Width
		}
	}
	return p.window(img, height, width, crop)
}

// window resizes a picture and crops its centre, computing no more than what
// is left. A crop of no size is none; one beyond the picture is filled with
// zeros.
func (p *Processor) window(img *RGB, height, width int, crop Size) (*RGB, error) {
	if height < 1 || width < 1 {
		return nil, fmt.Errorf("%w: %d × %d pixels resize to %d × %d", ErrFormat, img.Width, img.Height, width, height)
	}
	if max(height, width) > maxSide {
		return nil, fmt.Errorf("%w: %d × %d pixels resize to %d × %d", ErrTooLarge, img.Width, img.Height, width, height)
	}
	if crop == (Size{}) {
		crop = Size{Height: height, Width: width}
	}
	left, right, padX := p.span(width, crop.Width)
	top, bottom, padY := p.span(height, crop.Height)
	if height == img.Height && width == img.Width && crop.Height == height && crop.Width == width {
		return img, nil
	}
	inner, err := resample(img, width, height, window{left, top, right, bottom}, p.config.Resample, p.backend)
	if err != nil || inner.Width == crop.Width && inner.Height == crop.Height {
		return inner, err
	}
	padded := newRGB(crop.Width, crop.Height)
	for y := range inner.Height {
		copy(padded.Pix[((padY+y)*crop.Width+padX)*3:], inner.Pix[y*inner.Width*3:][:inner.Width*3])
	}
	return padded, nil
}

// span is the part of n pixels that a crop to size leaves, and the zeros in
// front of it.
func (p *Processor) span(n, size int) (from, to, pad int) {
	if size > n {
		pad, _ = p.backend.padding(size - n)
		return 0, n, pad
	}
	from = (n - size) / 2
	return from, from + size, 0
}

// byShortestEdge keeps the proportions and cuts the longer edge to whole pixels.
func byShortestEdge(height, width, edge int) (int, int) {
	if width <= height {
		return int(float64(edge*height) / float64(width)), edge
	}
	return edge, int(float64(edge*width) / float64(height))
}

// byBothEdges is byShortestEdge with a bound on the longer edge
// (get_size_with_aspect_ratio).
func byBothEdges(height, width, edge, longest int) (int, int) {
	short, long := float64(min(height, width)), float64(max(height, width))
	exact := float64(edge)
	if float64(long/short)*exact > float64(longest) {
		exact = float64(longest) * short / long
		edge = int(math.RoundToEven(exact))
	}
	switch {
	case height <= width && height == edge, width <= height && width == edge:
		return height, width
	case width < height:
		return int(exact * float64(height) / float64(width)), edge
	}
	return edge, int(exact * float64(width) / float64(height))
}
