// Command mktiny does the parts of images/tiny/build.sh that want a program: it takes the kernel out of its boot wrapper, picks
// the modules and libraries that the guest needs, lays out the guest's files, and writes the archives. It runs nothing and
// reads only the folder of unpacked packages and the recipe. The same input gives the same bytes.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "mktiny:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("usage: mktiny stage|inodes|bundle; see images/tiny/build.sh")
	}
	flags := flag.NewFlagSet("mktiny "+args[0], flag.ContinueOnError)
	switch args[0] {
	case "stage":
		var s stage
		flags.StringVar(&s.arch, "arch", "x86_64", "x86_64 or aarch64")
		flags.StringVar(&s.packages, "packages", "", "folder of unpacked packages")
		flags.StringVar(&s.recipe, "recipe", "", "folder of the recipe, images/tiny")
		flags.StringVar(&s.tree, "tree", "", "folder to fill with the root disk's files")
		flags.StringVar(&s.out, "out", "", "folder that gets kernel, initrd and manifest.json")
		if err := flags.Parse(args[1:]); err != nil {
			return err
		}
		return s.run()
	case "inodes":
		tree := flags.String("tree", "", "folder of the root disk's files")
		if err := flags.Parse(args[1:]); err != nil {
			return err
		}
		return writeInodeCommands(os.Stdout, *tree)
	case "bundle":
		dir := flags.String("dir", "", "folder of the image")
		out := flags.String("out", "", "archive to write")
		if err := flags.Parse(args[1:]); err != nil {
			return err
		}
		return writeBundle(*dir, *out)
	}
	return fmt.Errorf("no command %q; there are stage, inodes and bundle", args[0])
}
