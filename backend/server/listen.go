package server

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// listen opens a TCP port, and when it is taken says by whom and which setting moves it.
func listen(addr, setting string) (net.Listener, error) {
	ln, err := net.Listen("tcp", addr)
	if err == nil {
		return ln, nil
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("port %s is taken%s; set %s to another address", addr, holderPhrase(addr), setting)
	}
	if errors.Is(err, syscall.EACCES) {
		return nil, fmt.Errorf("this user may not listen on %s; set %s to a port above 1023", addr, setting)
	}
	return nil, fmt.Errorf("listen on %s: %w; set %s to an address of this machine", addr, err, setting)
}

func holderPhrase(addr string) string {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return ""
	}
	n, _ := strconv.Atoi(port)
	if pid, name := portHolder(n); pid != 0 {
		return fmt.Sprintf(" by process %d (%s)", pid, name)
	}
	return " by a process that this user may not see"
}

// portHolder finds the process that listens on a TCP port, through the socket inodes of /proc. 0: none that this user may see.
func portHolder(port int) (pid int, name string) {
	inodes := map[string]bool{}
	for _, f := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		listeningInodes(f, port, inodes)
	}
	if len(inodes) == 0 {
		return 0, ""
	}
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range fds {
		target, err := os.Readlink(fd)
		if err != nil || !strings.HasPrefix(target, "socket:[") || !inodes[strings.Trim(target, "socket:[]")] {
			continue
		}
		dir := filepath.Dir(filepath.Dir(fd))
		comm, _ := os.ReadFile(filepath.Join(dir, "comm"))
		pid, _ = strconv.Atoi(filepath.Base(dir))
		return pid, strings.TrimSpace(string(comm))
	}
	return 0, ""
}

// listeningInodes collects the inodes of sockets in state LISTEN (0A) on the port out of a /proc/net/tcp table.
func listeningInodes(table string, port int, into map[string]bool) {
	f, err := os.Open(table)
	if err != nil {
		return
	}
	defer f.Close()
	suffix := fmt.Sprintf(":%04X", port)
	for sc := bufio.NewScanner(f); sc.Scan(); {
		c := strings.Fields(sc.Text())
		if len(c) > 9 && strings.HasSuffix(c[1], suffix) && c[3] == "0A" {
			into[c[9]] = true
		}
	}
}
