// Command novacron is the whole platform: server, node agent and command line.
package main

import (
	"os"

	"novacron/backend/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:])) }
