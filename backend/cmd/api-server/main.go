// Command api-server is the control plane alone: what `novacron server` runs.
package main

import (
	"os"

	"novacron/backend/cli"
)

func main() { os.Exit(cli.Main(append([]string{"server"}, os.Args[1:]...))) }
