// Package hypervisortest is the one suite that every hypervisor.Driver passes. It needs a guest that prints Banner on its serial
// line, echoes what is typed and obeys the keys below: Sector is one for QEMU, the simulated hypervisor's shell is the other.
package hypervisortest

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"novacron/backend/core/vm"
	"novacron/backend/hypervisor"
)

// Sector is a boot sector for PCs. It reads and writes the second sector of the disk that it started from.
//
//go:embed sector.bin
var Sector []byte

// Banner is what the guest prints when it has started.
const Banner = "READY"

// The keys that the guest obeys. All others are echoed and counted.
const (
	KeyOff   = "\x04" // it powers off
	KeyFlood = "\x06" // it writes without end until the next key, or at least very much
	KeyDeaf  = "\x0e" // it ignores ACPI from now on
	KeyCount = "\x10" // it prints "#" and how many keys were echoed since the boot, as four hexadecimal digits
	KeyBoot  = "\x12" // it reboots
	KeyRead  = "\x16" // it prints "$" and the number in the sector of its disk
	KeyWrite = "\x17" // it writes the number of keys to the sector of its disk
)

// patience is how long the suite waits for a guest, on a machine that has much else to do.
const patience = 60 * time.Second

// guest is a running VM in a test.
type guest struct {
	hypervisor.Instance
	t *testing.T
}

// wait looks until check is content. It polls because what it looks at may be behind a process' socket.
func wait(t *testing.T, what string, check func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !check(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %s", what, patience)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func (g *guest) wantState(want vm.RunState) {
	g.t.Helper()
	var got vm.RunState
	wait(g.t, fmt.Sprintf("state %s", want), func() bool {
		var err error
		if got, err = g.Status(g.t.Context()); err != nil {
			g.t.Fatalf("status: %v", err)
		}
		return got == want
	})
}

func (g *guest) power(c hypervisor.Command) {
	g.t.Helper()
	if err := g.Power(g.t.Context(), c); err != nil {
		g.t.Fatalf("%s: %v", c, err)
	}
}

// event waits for one of the type and gives it. Others before it are passed over.
func (g *guest) event(want hypervisor.EventType) hypervisor.Event {
	g.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case e, open := <-g.Events():
			if !open {
				g.t.Fatalf("the events ended before %s came", want)
			}
			if e.Type == want {
				return e
			}
		case <-timer.C:
			g.t.Fatalf("no event %s after %s", want, patience)
		}
	}
}

// terminal is a person at the serial line.
type terminal struct {
	t    *testing.T
	line io.ReadWriteCloser

	mu   sync.Mutex
	seen bytes.Buffer
	err  error
}

func (g *guest) terminal() *terminal {
	g.t.Helper()
	line, err := g.Console(g.t.Context(), hypervisor.Serial)
	if err != nil {
		g.t.Fatalf("open the serial line: %v", err)
	}
	c := &terminal{t: g.t, line: line}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		for {
			n, err := line.Read(buf)
			c.mu.Lock()
			c.seen.Write(buf[:n])
			c.err = err
			c.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	g.t.Cleanup(func() { line.Close(); <-done })
	return c
}

// booted waits for the banner.
func (g *guest) booted() *terminal {
	g.t.Helper()
	c := g.terminal()
	c.expect(Banner)
	return c
}

func (c *terminal) write(keys string) {
	c.t.Helper()
	if _, err := io.WriteString(c.line, keys); err != nil {
		c.t.Fatalf("type %q: %v", keys, err)
	}
}

// expect waits for text and forgets everything up to it.
func (c *terminal) expect(text string) {
	c.t.Helper()
	c.until(fmt.Sprintf("%q on the serial line", text), func(seen string) int {
		at := strings.Index(seen, text)
		return at + min(at+1, 1)*len(text)
	})
}

// until waits for take to say how much it has understood: more than nothing.
func (c *terminal) until(what string, take func(seen string) int) {
	c.t.Helper()
	wait(c.t, what, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		n := take(c.seen.String())
		if n > 0 {
			c.seen.Next(n)
		} else if c.err != nil {
			c.t.Fatalf("%s: the line ended: %v", what, c.err)
		}
		return n > 0
	})
}

// number asks with a key and reads the four digits behind the mark.
func (c *terminal) number(key string, mark byte) (out int) {
	c.t.Helper()
	c.write(key)
	c.until("a number behind "+string(mark), func(seen string) int {
		at := strings.IndexByte(seen, mark)
		if at < 0 || len(seen) < at+6 {
			return 0
		}
		if _, err := fmt.Sscanf(seen[at+1:at+6], "%04x\r", &out); err != nil {
			c.t.Fatalf("%q is no number", seen[at:at+6])
		}
		return at + 6
	})
	return out
}

func (c *terminal) count() int { return c.number(KeyCount, '#') }
func (c *terminal) disk() int  { return c.number(KeyRead, '$') }

// say types words and waits for their echo.
func (c *terminal) say(words string) {
	c.t.Helper()
	for _, letter := range words { // one by one: a slow guest's receiver holds 16 bytes
		c.write(string(letter))
		c.expect(string(letter))
	}
}

// ended waits for the end of the line.
func (c *terminal) ended() {
	c.t.Helper()
	wait(c.t, "the end of the serial line", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return errors.Is(c.err, io.EOF)
	})
}
