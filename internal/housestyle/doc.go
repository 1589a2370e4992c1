// Package housestyle holds tests of the source itself: which package may import
// which, that packages and what they export are documented, that files stay
// short, that names say something, that tables are complete. They read the
// files of the module and need no tool. The package has no code but its tests.
package housestyle
