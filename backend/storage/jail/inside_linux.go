package jail

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// argName is os.Args[0] of a process that shall become a jailed program.
const argName = "novacron-jail"

// inside turns this process into the jailed program when it was started as one; otherwise it does nothing. It never returns
// in the former case.
func inside() {
	if len(os.Args) != 2 || os.Args[0] != argName {
		return
	}
	err := become(os.Args[1])
	fmt.Fprintln(os.Stderr, "jail:", err)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		os.Exit(exitNoWalls)
	}
	os.Exit(exitBroken)
}

func become(text string) error {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	if o.Level != limitsOn {
		if err := build(o); err != nil {
			return err
		}
		closeFiles(o)
	}
	if err := surrender(o); err != nil {
		return err
	}
	// Last: this Go process itself has more address space than the program may have.
	if err := limit(o.Limits); err != nil {
		return err
	}
	return syscall.Exec(o.Program, append([]string{filepath.Base(o.Program)}, o.Args...), []string{"LC_ALL=C"})
}

// closeFiles keeps descriptors from the program that has the same files by path, with no more rights than it needs.
func closeFiles(o order) {
	for i := range o.Files {
		_ = unix.Close(firstFD + i)
	}
}
