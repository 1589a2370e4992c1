// Command gen writes the assembly of package xet. Each unit is a file of its
// own, and does what the Go function does that its comment names.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/mmcloughlin/avo/build"
)

var units = map[string]func(){
	"cut":   cut,
	"group": group,
	"lz4":   lz4,
}

func main() {
	unit := flag.String("unit", "", "which unit to write")
	flag.Parse()
	write, ok := units[*unit]
	if !ok {
		fmt.Fprintf(os.Stderr, "there is no unit %q\n", *unit)
		os.Exit(2)
	}
	build.ConstraintExpr("amd64")
	write()
	build.Generate()
}
