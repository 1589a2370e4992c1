// Package render turns what strangers wrote into HTML that is safe to put in a
// page of the hub: Markdown cards (Card) and source files (Code).
//
// The order of the steps in Card is its safety. Markdown becomes HTML with
// whatever raw HTML the card holds; one pass over the tags rewrites links and
// prefixes ids; the sanitiser comes last, so nothing that an earlier step let
// through or got wrong reaches a page. What passes is a fixed list of elements
// and attributes: no scripts, styles, frames or forms, no event handlers, no
// URL but http, https, mailto, fragments, relative ones and small raster
// images in data URLs. Ids are prefixed so that a card cannot shadow the
// page's own, classes are limited to those of this package.
//
// Input size, parsing time and highlighting time are bounded; over a bound the
// text is shown plainly instead. Apart from what a slow moment shows plainly,
// the output depends on the input alone, so callers may cache by blob and
// Version.
package render

// Version names the output of this package; caches keyed by it expire when
// the output changes.
const Version = "1"
