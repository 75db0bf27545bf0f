package server

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"novacron/backend/store"
)

// What a new data folder must find free, and what a full cloud image and a few overlays take.
const (
	leastRoom = 256 << 20
	easyRoom  = 5 << 30
)

// checkPorts opens and closes each port, so that it says what a start would say.
func checkPorts(s Settings) []Check {
	own := PathsFor(s.DataDir).holder()
	var out []Check
	for _, p := range []struct{ name, addr, setting string }{
		{"API port", s.APIAddr, "NOVACRON_API_ADDR"}, {"WebSocket port", s.WSAddr, "NOVACRON_WS_ADDR"},
		{"console port", s.ConsoleAddr, "NOVACRON_CONSOLE_ADDR"}, {"node port", s.NodeAddr, "NOVACRON_NODE_ADDR"},
	} {
		c := Check{Name: p.name, Verdict: Good, Found: p.addr + " is free"}
		ln, err := listen(p.addr, p.setting)
		switch {
		case err == nil:
			ln.Close()
		case own != 0 && own == holderOf(p.addr):
			c.Found = fmt.Sprintf("%s is served by NovaCron, which runs (process %d)", p.addr, own)
		default:
			c.Verdict = Bad
			c.Found, c.Remedy, _ = strings.Cut(err.Error(), "; ")
		}
		out = append(out, c)
	}
	return out
}

func holderOf(addr string) int {
	_, port, _ := net.SplitHostPort(addr)
	n, _ := strconv.Atoi(port)
	pid, _ := portHolder(n)
	return pid
}

func checkDataDir(s Settings) Check {
	c := Check{Name: "data folder", Verdict: Good}
	dir := s.DataDir
	for !exists(dir) && dir != "/" {
		dir = filepath.Dir(dir)
	}
	if err := writable(dir, dir == s.DataDir); err != nil {
		c.Verdict = Bad
		c.Found, c.Remedy, _ = strings.Cut(err.Error(), "; ")
		return c
	}
	free, err := freeBytes(dir)
	if err != nil {
		c.Verdict, c.Found, c.Remedy = Bad, fmt.Sprintf("%s: %v", s.DataDir, err), "set NOVACRON_DATA_DIR to a folder of a disk"
		return c
	}
	c.Found = fmt.Sprintf("%s, %.1f GiB free", s.DataDir, float64(free)/(1<<30))
	if free < 1<<30 {
		c.Found = fmt.Sprintf("%s, %d MiB free", s.DataDir, free>>20)
	}
	database := filepath.Join(s.DataDir, databaseFile)
	switch used := exists(database); {
	case used && s.DatabaseURL == "" && !store.HoldsBallast(database):
		c.Verdict, c.Remedy = Bad, "the disk of the database is full and nothing new can be made: delete VMs, snapshots or images, or free room on the disk"
	case !used && free < leastRoom:
		c.Verdict, c.Remedy = Bad, "free some room or set NOVACRON_DATA_DIR to a larger disk"
	case free < easyRoom:
		c.Verdict, c.Remedy = Warn, "free some room or set NOVACRON_DATA_DIR to a larger disk"
	}
	return c
}

// writable reports why NovaCron could not use dir as its data folder (own), or make it in dir.
func writable(dir string, own bool) error {
	if own {
		if _, err := owned(dir, true); err != nil {
			return err
		}
	}
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("%s cannot be written (%w); set NOVACRON_DATA_DIR to a folder that this user may write", dir, err)
	}
	return nil
}
