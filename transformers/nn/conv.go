package nn

import (
	"fmt"
	"math"

	"github.com/pantryhub/pantry/internal/kernel"
	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// Picture is the activations of an image: (height, width, channels), so that a
// pixel's channels lie together and a 1×1 convolution is a linear layer.
type Picture struct {
	X             tensor.Tensor // (height·width, channels)
	Height, Width int
}

// PictureOf turns pixels (channels, height, width), as image processors make
// them, into a Picture.
func PictureOf(ws *Workspace, pixels tensor.Tensor) Picture {
	channels, height, width := pixels.Dim(0), pixels.Dim(1), pixels.Dim(2)
	p := Picture{X: ws.Arena.New(height*width, channels), Height: height, Width: width}
	for c := range channels {
		plane := pixels.Data[c*height*width : (c+1)*height*width]
		for i, v := range plane {
			p.X.Data[i*channels+c] = v
		}
	}
	return p
}

// Conv2D is a convolution, computed as a product of its kernel with the
// neighbourhoods of the pixels. Its weights are (out, height, width, in).
type Conv2D struct {
	linear               Linear
	channels, size, step int
	pad                  int
}

// NewConv2D reads weight (out, in, size, size) and, if bias, bias (out).
func NewConv2D(w checkpoint.Weights, in, out, size, step, pad int, bias bool) Conv2D {
	stored := w.Tensor("weight", out, in, size, size)
	data := make([]float32, len(stored.Data))
	for o := range out {
		for c := range in {
			for tap := range size * size {
				data[(o*size*size+tap)*in+c] = stored.Data[(o*in+c)*size*size+tap]
			}
		}
	}
	conv := Conv2D{channels: in, size: size, step: step, pad: pad,
		linear: Linear{W: kernel.MatrixOf(data, out, size*size*in)}}
	if bias {
		conv.linear.Bias = w.Vector("bias", out)
	}
	return conv
}

// NewConvNorm reads a convolution without bias and the batch norm behind it,
// and folds the norm into the convolution.
//
// Source: Ioffe and Szegedy 2015, "Batch Normalization".
func NewConvNorm(conv, norm checkpoint.Weights, in, out, size, step, pad int) Conv2D {
	const eps = 1e-5 // PyTorch's default
	c := NewConv2D(conv, in, out, size, step, pad, false)
	gain, shift := norm.Vector("weight", out), norm.Vector("bias", out)
	mean, variance := norm.Vector("running_mean", out), norm.Vector("running_var", out)
	row := make([]float32, c.linear.W.Cols)
	data := make([]float32, 0, out*len(row))
	for o := range out {
		a := float32(float64(gain[o]) / math.Sqrt(float64(variance[o])+eps))
		c.linear.W.Row(row, o)
		kernel.Scale(row, a)
		data = append(data, row...)
		shift[o] -= mean[o] * a
	}
	c.linear.W = kernel.MatrixOf(data, out, len(row))
	c.linear.Bias = shift
	return c
}

// Forward is (height·width, in) -> (height'·width', out).
func (c *Conv2D) Forward(ws *Workspace, p Picture) Picture {
	out := Picture{Height: (p.Height+2*c.pad-c.size)/c.step + 1, Width: (p.Width+2*c.pad-c.size)/c.step + 1}
	if c.size == 1 && c.step == 1 {
		out.X = c.linear.Forward(ws, p.X)
		return out
	}
	out.X = ws.Arena.New(out.Height*out.Width, c.linear.W.Rows)
	// A few rows of pixels at a time, so that the neighbourhoods, which repeat
	// each pixel size² times, stay in the cache.
	rows := max(1, 1<<18/(out.Width*c.linear.W.Cols))
	for y := 0; y < out.Height; y += rows {
		mark := ws.Arena.Mark()
		last := min(y+rows, out.Height)
		x := ws.Arena.New((last-y)*out.Width, c.linear.W.Cols)
		c.gather(ws, x, p, out.Width, y)
		part := out.X.Slice(y*out.Width, last*out.Width)
		c.linear.multiply(ws, x, kernel.Product{Dst: part.Data})
		ws.Arena.Release(mark)
	}
	return out
}

// gather writes the neighbourhoods of output rows from first on to x: each
// (size, size, in), with zeros outside of the picture.
func (c *Conv2D) gather(ws *Workspace, x tensor.Tensor, p Picture, width, first int) {
	ws.Pool.Do(x.Rows()/width, func(i int) {
		for j := range width {
			row := x.Row(i*width + j)
			for ky := range c.size {
				y, left := (first+i)*c.step+ky-c.pad, j*c.step-c.pad
				taps := row[ky*c.size*c.channels : (ky+1)*c.size*c.channels]
				if y < 0 || y >= p.Height {
					clear(taps)
					continue
				}
				lo, hi := max(0, -left), min(c.size, p.Width-left)
				clear(taps[:lo*c.channels])
				copy(taps[lo*c.channels:hi*c.channels], p.X.Data[(y*p.Width+left+lo)*c.channels:])
				clear(taps[hi*c.channels:])
			}
		}
	})
}

// DepthwiseConv2D is a convolution of each channel by itself, with the same
// size of the picture before and after. Its weights are (size, size, channels).
type DepthwiseConv2D struct {
	taps tensor.Tensor // (size·size, channels)
	bias []float32
	size int
}

// NewDepthwiseConv2D reads weight (channels, 1, size, size) and bias
// (channels).
func NewDepthwiseConv2D(w checkpoint.Weights, channels, size int) DepthwiseConv2D {
	stored := w.Tensor("weight", channels, 1, size, size)
	d := DepthwiseConv2D{taps: tensor.Zeros(size*size, channels), bias: w.Vector("bias", channels), size: size}
	for c := range channels {
		for tap := range size * size {
			d.taps.Row(tap)[c] = stored.Data[c*size*size+tap]
		}
	}
	return d
}

// Forward is (height·width, channels) -> the same.
func (d *DepthwiseConv2D) Forward(ws *Workspace, p Picture) Picture {
	out := Picture{X: ws.Arena.New(p.X.Rows(), p.X.Cols()), Height: p.Height, Width: p.Width}
	ws.Pool.Do(p.Height, func(y int) {
		for x := range p.Width {
			dst := out.X.Row(y*p.Width + x)
			copy(dst, d.bias)
			for ky := range d.size {
				sy := y + ky - d.size/2
				if sy < 0 || sy >= p.Height {
					continue
				}
				for kx := max(0, d.size/2-x); kx < min(d.size, p.Width-x+d.size/2); kx++ {
					kernel.MulAdd(dst, d.taps.Row(ky*d.size+kx), p.X.Row(sy*p.Width+x+kx-d.size/2))
				}
			}
		}
	})
	return out
}

// MaxPool2D takes the largest number of each channel in windows of size,
// moved by step, over a picture with pad pixels of −∞ around it.
func MaxPool2D(ws *Workspace, p Picture, size, step, pad int) Picture {
	out := Picture{Height: (p.Height+2*pad-size)/step + 1, Width: (p.Width+2*pad-size)/step + 1}
	out.X = ws.Arena.New(out.Height*out.Width, p.X.Cols())
	ws.Pool.Do(out.Height, func(y int) {
		for x := range out.Width {
			dst := out.X.Row(y*out.Width + x)
			for i := range dst {
				dst[i] = float32(math.Inf(-1))
			}
			for sy := max(0, y*step-pad); sy < min(p.Height, y*step-pad+size); sy++ {
				for sx := max(0, x*step-pad); sx < min(p.Width, x*step-pad+size); sx++ {
					for i, v := range p.X.Row(sy*p.Width + sx) {
						dst[i] = max(dst[i], v)
					}
				}
			}
		}
	})
	return out
}

// Mean is the mean of every channel: (1, channels).
func (p Picture) Mean(ws *Workspace) tensor.Tensor {
	return Pool(ws, PoolMean, p.X, []int{0, p.X.Rows()})
}

// ScaleColumns multiplies every row of x by a, number by number, in place.
func ScaleColumns(ws *Workspace, x tensor.Tensor, a []float32) {
	ws.Map(x, func(row []float32) { kernel.Mul(row, a) })
}

// CheckStages refuses the configuration of a network of convolutions that
// cannot be.
func CheckStages(channels, stem int, sizes, depths []int) error {
	if len(sizes) == 0 || len(sizes) != len(depths) || len(sizes) > 16 {
		return fmt.Errorf("%w: config.json has %d hidden_sizes and %d depths", checkpoint.ErrFormat, len(sizes), len(depths))
	}
	for _, n := range append(append([]int{channels, stem}, sizes...), depths...) {
		if n <= 0 || n > 1<<16 {
			return fmt.Errorf("%w: config.json has a size of %d", checkpoint.ErrFormat, n)
		}
	}
	return nil
}

// CheckPixels refuses an image that a network of convolutions cannot read.
func CheckPixels(pixels tensor.Tensor, channels, least int) error {
	if c, h, w := pixels.Dim(0), pixels.Dim(1), pixels.Dim(2); c != channels || h < least || w < least {
		return fmt.Errorf("an image of %d×%d pixels and %d channels; the model reads %d channels and at least %d×%d", w, h, c, channels, least, least)
	}
	return nil
}
