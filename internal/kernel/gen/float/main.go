// Command float writes the assembly of the float32 side of package kernel. Each
// unit is a file of its own.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/mmcloughlin/avo/build"
)

var units = map[string]func(){
	"dot": dotUnit, "panel": panelUnit,
	"rows":       rowsUnit,
	"vector":     vectorUnit,
	"activation": activationUnit,
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
