package qemu

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
	"unicode"

	"novacron/backend/core/fault"
	"novacron/backend/hypervisor"
)

// Bounds of what a guest may say. Everything on this line is written by the guest and may be hostile.
const (
	agentTimeout = 5 * time.Second
	thawTimeout  = 10 * time.Second
	maxAnswer    = 256 << 10 // bytes of one answer
	maxFlush     = 1 << 20   // bytes of old answers skipped before the line counts as flooded
	maxAddresses = 32
	maxWord      = 253 // bytes of a host name or system name
)

// agentLine is the connection to the guest agent. It is read only while a question is open: a guest that floods it fills a
// buffer and then waits.
type agentLine struct {
	path string
	mu   sync.Mutex
	conn *net.UnixConn
	in   *bufio.Reader
}

func (a *agentLine) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.drop()
}

func (a *agentLine) drop() {
	if a.conn != nil {
		a.conn.Close()
		a.conn = nil
	}
}

// ask puts one question. After any failure the connection is dropped, so that a late answer never meets the next question.
func (a *agentLine) ask(ctx context.Context, command string, result any) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.conn == nil {
		conn, err := dial(a.path)
		if err != nil {
			return err
		}
		a.conn, a.in = conn, bufio.NewReaderSize(conn, 4096)
	}
	deadline, _ := ctx.Deadline()
	conn := a.conn // a.conn may be another one by the time that ctx ends
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	err := a.conn.SetDeadline(deadline)
	if err == nil {
		err = a.exchange(command, result)
	}
	if _, refused := errors.AsType[*agentError](err); err != nil && !refused {
		a.drop()
	}
	return err
}

// exchange synchronises first: 0xff cannot be part of JSON, so behind it and the number just sent everything is new.
func (a *agentLine) exchange(command string, result any) error {
	number := rand.Int64N(1 << 52) // exact in the agent's JSON whatever numbers it keeps
	if _, err := fmt.Fprintf(a.conn, "\xff{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":%d}}\n", number); err != nil {
		return err
	}
	if err := synchronise(a.in, number); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(a.conn, "{\"execute\":%q}\n", command); err != nil {
		return err
	}
	return readAnswer(a.in, result)
}

// synchronise skips to the answer that holds number.
func synchronise(in *bufio.Reader, number int64) error {
	for skipped := 0; skipped < maxFlush; skipped++ {
		c, err := in.ReadByte()
		if err != nil {
			return err
		}
		if c != 0xff {
			continue
		}
		var got int64
		if err := readAnswer(in, &got); err == nil && got == number {
			return nil
		} else if err != nil && errors.Is(err, errLong) {
			return err
		}
	}
	return errors.New("the guest floods the agent's line")
}

// agentError is a refusal by the agent.
type agentError struct{ Class, Desc string }

func (e *agentError) Error() string { return "the guest agent refused: " + e.Desc }

var errLong = errors.New("the guest agent's answer is too long")

// readAnswer reads one line and decodes what it returns.
func readAnswer(in *bufio.Reader, result any) error {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxAnswer {
			return errLong
		}
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
	var m struct {
		Return json.RawMessage `json:"return"`
		Error  *agentError     `json:"error"`
	}
	if err := json.Unmarshal(line, &m); err != nil {
		return fmt.Errorf("the guest agent wrote no message: %w", err)
	}
	if m.Error != nil {
		m.Error.Desc = word(m.Error.Desc)
		return m.Error
	}
	if m.Return == nil {
		return errors.New("the guest agent answered without an answer")
	}
	return json.Unmarshal(m.Return, result)
}

func (i *instance) askAgent(ctx context.Context, limit time.Duration, command string, result any) error {
	if i.over() {
		return exited(nil)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := i.agent.ask(ctx, command, result)
	if _, refused := errors.AsType[*agentError](err); err == nil || refused {
		return err
	}
	return fault.Wrap(err, fault.Unavailable, "agent_silent", "the guest agent does not answer; is qemu-guest-agent installed and running in the guest?")
}

// Guest asks for what the guest calls itself and where it is reached. An agent that lacks one answer still gives the others.
func (i *instance) Guest(ctx context.Context) (hypervisor.Guest, error) {
	var out hypervisor.Guest
	var host struct {
		Name string `json:"host-name"`
	}
	if err := i.askAgent(ctx, agentTimeout, "guest-get-host-name", &host); err == nil {
		out.Hostname = word(host.Name)
	} else if fault.Is(err, fault.Unavailable) || fault.Is(err, fault.Conflict) {
		return out, err
	}
	var system struct {
		Name string `json:"pretty-name"`
	}
	if i.askAgent(ctx, agentTimeout, "guest-get-osinfo", &system) == nil {
		out.OS = word(system.Name)
	}
	var cards []guestCard
	if err := i.askAgent(ctx, agentTimeout, "guest-network-get-interfaces", &cards); err == nil {
		out.Addresses = addresses(cards)
	}
	return out, nil
}

// guestCard is a network interface as the guest describes it.
type guestCard struct {
	Addresses []struct {
		Address string `json:"ip-address"`
	} `json:"ip-addresses"`
}

// addresses keeps what can be an address of the guest for others.
func addresses(cards []guestCard) []string {
	var out []string
	for _, c := range cards {
		for _, a := range c.Addresses {
			ip, err := netip.ParseAddr(a.Address)
			if err != nil || !ip.IsGlobalUnicast() || len(out) >= maxAddresses {
				continue
			}
			out = append(out, ip.WithZone("").String())
		}
	}
	return out
}

// word makes a guest's text safe to show.
func word(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, s[:min(len(s), maxWord)])
	return strings.TrimSpace(s)
}

// Freeze stops the writes of the guest's file systems. Whatever goes wrong, they are not left frozen.
func (i *instance) Freeze(ctx context.Context) error {
	// First the note: if this agent dies, the next one thaws.
	if err := i.update(func(r *record) { r.Frozen = true }); err != nil {
		return err
	}
	var count int
	err := i.askAgent(ctx, thawTimeout, "guest-fsfreeze-freeze", &count)
	if err == nil {
		return nil
	}
	thaw, cancel := context.WithTimeout(context.WithoutCancel(ctx), agentTimeout)
	defer cancel()
	_ = i.Thaw(thaw) // an agent that does not answer now may have frozen nothing; Adopt and Thaw try again
	if _, refused := errors.AsType[*agentError](err); refused {
		return fault.Wrap(err, fault.Unsupported, "freeze_refused", "the guest's file systems cannot be frozen; take the snapshot without it")
	}
	return err
}

// Thaw lets the file systems go on.
func (i *instance) Thaw(ctx context.Context) error {
	var count int
	err := i.askAgent(ctx, thawTimeout, "guest-fsfreeze-thaw", &count)
	if _, refused := errors.AsType[*agentError](err); refused { // an agent without freezing has frozen nothing
		err = nil
	}
	if err != nil {
		return err
	}
	return i.update(func(r *record) { r.Frozen = false })
}
