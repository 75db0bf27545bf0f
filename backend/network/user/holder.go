package user

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"novacron/backend/core/id"
)

// heldBy reports whether the process of the VM listens on the port of 127.0.0.1. A guest that outlived the agent holds its own
// port, and that must not look like a stranger's. The kernel shows an ordinary user its own processes, which is all that is needed.
func heldBy(port int, vm id.VM) bool {
	inode := listener(port)
	if inode == "" {
		return false
	}
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return false
	}
	for _, p := range processes {
		// A guest's command line names its VM; see CONTRACT.
		cmdline, err := os.ReadFile(filepath.Join(p, "cmdline"))
		if err != nil || !bytes.Contains(cmdline, []byte(vm)) {
			continue
		}
		if opened(filepath.Join(p, "fd"), "socket:["+inode+"]") {
			return true
		}
	}
	return false
}

// opened reports whether a process's descriptor folder has a link to the target.
func opened(dir, target string) bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if link, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil && link == target {
			return true
		}
	}
	return false
}

// listener gives the inode of the socket that listens on the port of 127.0.0.1 or of all addresses, "" if there is none.
func listener(port int) string {
	f, err := os.Open("/proc/net/tcp")
	if err != nil {
		return ""
	}
	defer f.Close()
	const listening = "0A" // TCP_LISTEN, in the column "st"
	local := []string{fmt.Sprintf("0100007F:%04X", port), fmt.Sprintf("00000000:%04X", port)}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		c := strings.Fields(lines.Text())
		if len(c) > 9 && c[3] == listening && (c[1] == local[0] || c[1] == local[1]) {
			return c[9]
		}
	}
	return ""
}
