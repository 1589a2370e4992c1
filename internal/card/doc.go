// Package card reads repository cards (README.md) and says what a repository
// is: its labels, task, library, base models and the other fields of repo info
// that the hub derives from a card, the list of files and a few small JSON
// files.
//
// It is a set of pure functions over bytes. The caller reads files (Wanted
// names those that matter) and stores the result (Derived has the field names
// of the wire). Everything read here was written by strangers: front matter,
// nesting, aliases and list lengths are limited, and nothing is executed.
//
// The rules follow the public Hub as far as its clients, documentation and
// recorded answers show them. The order of labels is the Hub's too: pages and
// clients take the first few.
//
// The package imports hub, gguf and a YAML parser; no storage, no network.
package card
