// Package hubapi is the transport of the Hub's HTTP API for repositories:
// /api/{models,datasets,spaces,kernels}…, /api/repos/…, and the resolve and raw
// URLs. A handler decodes, calls one method of the repo service, encodes; it
// touches neither SQL nor objects nor permissions.
package hubapi
