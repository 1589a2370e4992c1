package nn

import (
	"fmt"

	"github.com/pantryhub/pantry/transformers/checkpoint"
	"github.com/pantryhub/pantry/transformers/tensor"
)

// PatchShape is how a square image is cut into square patches.
type PatchShape struct{ Channels, Image, Patch, Dim int }

// Count is the number of patches.
func (s PatchShape) Count() int { return (s.Image / s.Patch) * (s.Image / s.Patch) }

// Patches turns an image into a sequence: a class token, then its patches row
// by row, plus positions.
//
// Source: Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words".
type Patches struct {
	Class     []float32     // (dim)
	Positions tensor.Tensor // (1+patches, dim)
	conv      Conv2D
	shape     PatchShape
}

// NewPatches reads the projection of a patch, weight (dim, channels, patch,
// patch) and, if bias, bias (dim).
func NewPatches(w checkpoint.Weights, s PatchShape, bias bool) (Patches, error) {
	if s.Channels <= 0 || s.Patch <= 0 || s.Image < s.Patch || s.Image > maxConfigSize || s.Channels > maxConfigSize {
		return Patches{}, fmt.Errorf("%w: config.json has patches of %d pixels in an image of %d, %d channels",
			checkpoint.ErrFormat, s.Patch, s.Image, s.Channels)
	}
	return Patches{conv: NewConv2D(w, s.Channels, s.Dim, s.Patch, s.Patch, 0, bias), shape: s}, nil
}

// Forward is (channels, height, width) -> (1+patches, dim). The error says if
// the image is not of the size that the network is made for.
func (p *Patches) Forward(ws *Workspace, pixels tensor.Tensor) (tensor.Tensor, error) {
	if c, h, w := pixels.Dim(0), pixels.Dim(1), pixels.Dim(2); c != p.shape.Channels || h != p.shape.Image || w != p.shape.Image {
		return tensor.Tensor{}, fmt.Errorf("an image of %d×%d pixels and %d channels; the model reads %d×%d and %d",
			w, h, c, p.shape.Image, p.shape.Image, p.shape.Channels)
	}
	x := ws.Arena.New(1+p.shape.Count(), p.shape.Dim)
	copy(x.Row(0), p.Class)
	mark := ws.Arena.Mark()
	patches := p.conv.Forward(ws, PictureOf(ws, pixels))
	copy(x.Data[p.shape.Dim:], patches.X.Data)
	ws.Arena.Release(mark)
	ws.Add(x, p.Positions)
	return x, nil
}
