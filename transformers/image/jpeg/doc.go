// Package jpeg decodes JPEG pictures to the very samples that libjpeg-turbo
// gives, and so Pillow and torchvision: Loeffler's 8×8 inverse transform in
// 13-bit fixed point ("islow"), triangle-filtered chroma ("fancy upsampling")
// and 16-bit colour tables. The standard library's decoder differs from
// these: in a fifth of the samples by up to 3 levels where chroma is whole, in
// most by up to 100 at the edges of subsampled chroma, which moves the inputs
// of an image model.
//
// Baseline, extended sequential and progressive Huffman pictures of 8 bits
// with 1, 3 or 4 components are read. Arithmetic coding, lossless and
// hierarchical modes and 12 bits are refused with ErrUnsupported. libjpeg
// fills what a damaged file lacks with grey, smooths the blocks of a
// progressive file whose scans were left out and goes on; here damage is an
// error and nothing is smoothed.
//
// The bytes are foreign: the size is checked against the caller's limit, and
// against what the data could hold, before anything of that size is
// allocated.
package jpeg
