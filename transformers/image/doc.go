// Package image turns picture files into the inputs of image models, pixel
// for pixel as the Python library does.
//
// Open decodes a file to RGB as transformers' load_image does (Pillow's
// Image.open, exif_transpose, convert("RGB")): JPEG by libjpeg-turbo's
// arithmetic, WebP by libwebp's, palettes looked up, grey repeated, CMYK
// converted by Pillow's formula, 16-bit colours cut to their high byte and
// 16-bit grey clipped at 255, alpha dropped, the first frame of an animation,
// the Exif or XMP orientation applied.
//
// A Processor resizes, crops, rescales and normalises. Its settings come from
// preprocessor_config.json or the newer processor_config.json. Python has two
// implementations that differ by a level here and there: Torchvision (the
// default of transformers 5 wherever torchvision is installed) and Pillow.
// Both are here; all that they differ in is said by the methods of Backend and
// by the order of rescaling and normalising, which Torchvision does in one step.
//
// What a file holds is foreign: its size is checked against Limits before
// anything of that size is allocated.
package image
