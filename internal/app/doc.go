// Package app builds a hub from its configuration and owns the order in which
// its parts start and stop. It is the only place that knows all of them.
package app
