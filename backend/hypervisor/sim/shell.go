package sim

import (
	"fmt"
	"strings"
	"time"
)

// banner is what a guest writes when it starts.
const banner = "READY\r\nThis guest is simulated. Type help.\r\n> "

// Keys with a meaning of their own; the suite's boot sector for QEMU knows the same ones.
const (
	keyCount    = 0x10 // ^P prints how many bytes were typed since the boot, as #0001: this is in memory
	keyReboot   = 0x12 // ^R
	keyOff      = 0x04 // ^D
	keyFlood    = 0x06 // ^F writes very much
	keyDeaf     = 0x0e // ^N: from now on ACPI is ignored
	keyWrite    = 0x17 // ^W writes the count to the second sector of the first disk
	keyReadDisk = 0x16 // ^V prints what the sector holds, as $0001
)

// typed takes what a person types. It runs without the line's lock.
func (g *guest) typed(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended || g.state != running {
		return len(p), nil // a paused guest reads nothing; QEMU would keep a few bytes
	}
	for _, c := range p {
		g.key(c)
	}
	return len(p), nil
}

func (g *guest) key(c byte) {
	switch c {
	case keyCount:
		g.print("#%04x\r\n", g.memory.Typed)
	case keyReboot:
		g.reset()
	case keyOff:
		g.powerOff()
	case keyFlood:
		g.serial().Output([]byte(strings.Repeat("x", scrollback)))
	case keyDeaf:
		g.deaf = true
	case keyWrite:
		if len(g.cfg.Disks) > 0 {
			g.host.disk(g.cfg.Disks[0].File.Path).value = byte(g.memory.Typed)
		}
	case keyReadDisk:
		if len(g.cfg.Disks) > 0 {
			g.print("$%04x\r\n", g.host.disk(g.cfg.Disks[0].File.Path).value)
		}
	case '\r', '\n':
		g.memory.Typed++
		g.line()
	default:
		g.memory.Typed++
		g.word = appendBounded(g.word, c)
		g.serial().Output([]byte{c})
	}
}

func appendBounded(line []byte, c byte) []byte {
	if len(line) >= 256 { // a shell line, not a file
		return line
	}
	return append(line, c)
}

// line acts on a finished line.
func (g *guest) line() {
	command := strings.TrimSpace(string(g.word))
	g.word = nil
	name, rest, _ := strings.Cut(command, " ")
	switch name {
	case "":
		g.print("\r\n> ")
	case "help":
		g.print("\r\necho TEXT, hostname, nproc, free, uptime, reboot, poweroff\r\n> ")
	case "echo":
		g.print("\r\n%s\r\n> ", rest)
	case "hostname":
		g.print("\r\n%s\r\n> ", g.cfg.Name)
	case "nproc":
		g.print("\r\n%d\r\n> ", g.cfg.CPUs)
	case "free":
		g.print("\r\n%d MiB\r\n> ", g.cfg.MemoryMiB)
	case "uptime":
		g.print("\r\nup %s\r\n> ", time.Since(g.booted).Truncate(time.Second))
	case "reboot":
		g.print("\r\n")
		g.reset()
	case "poweroff":
		g.print("\r\n")
		g.powerOff()
	default:
		g.print("\r\n%s: not found; type help\r\n> ", name)
	}
}

func (g *guest) print(format string, args ...any) {
	g.serial().Output(fmt.Appendf(nil, format, args...))
}
