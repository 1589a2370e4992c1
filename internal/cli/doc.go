// Package cli is the command line: one file per command. A command parses its
// options, calls a service, prints to the injected streams, and exits with the
// code of the error table.
package cli
