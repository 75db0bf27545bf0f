package api

import (
	"context"
	"encoding/binary"
	"io"
	"sync"

	"novacron/backend/core/fault"
	"novacron/backend/core/wire"
)

// maxSeats bounds who sits at one console.
const maxSeats = 16

// errTaken ends the console of somebody who was sent away.
var errTaken = fault.New(fault.Conflict, "console_taken", "somebody else took the console over")

// desks knows who sits at which console of this server, so that two people never type into one guest by accident.
type desks struct {
	mu  sync.Mutex
	all map[string]*desk
}

type desk struct {
	desks *desks
	key   string
	seats []*seat
}

// seat is one person at a console.
type seat struct {
	name     string
	watching bool
	news     chan struct{} // holds a token when who is there has changed since this person was told
	out      func(error)   // ends this person's console
}

func newSeat(name string, watching bool, out func(error)) *seat {
	return &seat{name: name, watching: watching, news: make(chan struct{}, 1), out: out}
}

func newDesks() *desks { return &desks{all: map[string]*desk{}} }

// sit takes a place. Somebody who types already keeps the keyboard unless it is taken.
func (d *desks) sit(key string, s *seat, take bool) (*desk, error) {
	d.mu.Lock()
	k := d.all[key]
	if k == nil {
		k = &desk{desks: d, key: key}
	}
	typing := k.typing()
	switch {
	case !s.watching && typing != nil && !take:
		d.mu.Unlock()
		return nil, fault.New(fault.Conflict, "console_in_use", "%.60s types into this console; watch it or take it over", typing.name)
	case len(k.seats) >= maxSeats:
		d.mu.Unlock()
		return nil, fault.New(fault.Conflict, "console_in_use", "%d people sit at this console already", maxSeats)
	}
	if !s.watching && typing != nil {
		k.remove(typing)
		defer typing.out(fault.Wrap(errTaken, fault.Conflict, "console_taken", "%.60s took the console over", s.name))
	}
	k.seats = append(k.seats, s)
	d.all[key] = k
	d.mu.Unlock()
	k.tell(s)
	return k, nil
}

// leave gives the place back; it may be repeated.
func (k *desk) leave(s *seat) {
	k.desks.mu.Lock()
	k.remove(s)
	if len(k.seats) == 0 && k.desks.all[k.key] == k {
		delete(k.desks.all, k.key)
	}
	k.desks.mu.Unlock()
	k.tell(nil)
}

func (k *desk) typing() *seat {
	for _, s := range k.seats {
		if !s.watching {
			return s
		}
	}
	return nil
}

func (k *desk) remove(s *seat) {
	for i, other := range k.seats {
		if other == s {
			k.seats = append(k.seats[:i:i], k.seats[i+1:]...)
			return
		}
	}
}

// tell lets everybody but one know that who is there has changed. Each hears it from a goroutine of its own, see follow: a slow peer
// keeps nobody waiting.
func (k *desk) tell(but *seat) {
	k.desks.mu.Lock()
	defer k.desks.mu.Unlock()
	for _, s := range k.seats {
		if s == but {
			continue
		}
		select {
		case s.news <- struct{}{}:
		default: // it has not looked since the change before, and will see both
		}
	}
}

// follow sends who is there whenever that has changed, until ctx ends. One goroutine per seat sends and looks before each, so the last
// thing that a peer hears is how it is.
func (d *desks) follow(ctx context.Context, key string, s *seat, send func(wire.ConsoleState)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.news:
			send(d.state(key, s))
		}
	}
}

// state is who is there, as seen from one seat.
func (d *desks) state(key string, of *seat) wire.ConsoleState {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := wire.ConsoleState{Type: "who", You: "typing", Watching: []string{}}
	if of.watching {
		out.You = "watching"
	}
	if k := d.all[key]; k != nil {
		for _, s := range k.seats {
			if s.watching {
				out.Watching = append(out.Watching, s.name)
			} else {
				out.Typing = s.name
			}
		}
	}
	return out
}

// watcher lets through what somebody who only watches may send: nothing to a serial line, and to a screen everything but
// keys, pointer and clipboard.
func watcher(kind string, guest io.Writer) io.Writer {
	if kind == "vnc" {
		return &screenWatcher{guest: guest}
	}
	return io.Discard
}

// screenWatcher reads the client's half of an RFB conversation (RFC 6143) and drops input. It understands the handshake
// with security type None, which is what the guest's screen offers to the platform, and ends on messages it does not know.
type screenWatcher struct {
	guest io.Writer
	buf   []byte
	stage int // 0 version, 1 security type, 2 ClientInit, 3 messages
}

// handshake is the length of the client's part of each stage.
var handshake = [...]int{12, 1, 1}

// maxEncodings bounds a SetEncodings message; clients know some twenty.
const maxEncodings = 1024

func (w *screenWatcher) Write(p []byte) (int, error) {
	w.buf = append(w.buf, p...)
	for len(w.buf) > 0 {
		n, pass, err := w.next()
		if err != nil {
			return 0, err
		}
		if n == 0 || len(w.buf) < n {
			return len(p), nil // the rest is to come
		}
		if pass {
			if _, err := w.guest.Write(w.buf[:n]); err != nil {
				return 0, err
			}
		}
		w.buf = append(w.buf[:0], w.buf[n:]...)
		if w.stage < len(handshake) {
			w.stage++
		}
	}
	return len(p), nil
}

// next gives the length of the message at the head of the buffer, 0 if more is needed to tell, and whether it may pass.
func (w *screenWatcher) next() (n int, pass bool, err error) {
	if w.stage < len(handshake) {
		return handshake[w.stage], true, nil
	}
	switch b := w.buf; b[0] {
	case 0: // SetPixelFormat
		return 20, true, nil
	case 2: // SetEncodings
		if len(b) < 4 {
			return 0, false, nil
		}
		count := int(binary.BigEndian.Uint16(b[2:]))
		if count > maxEncodings {
			return 0, false, errUnknownMessage
		}
		return 4 + 4*count, true, nil
	case 3: // FramebufferUpdateRequest
		return 10, true, nil
	case 4: // KeyEvent
		return 8, false, nil
	case 5: // PointerEvent
		return 6, false, nil
	case 6: // ClientCutText
		if len(b) < 8 {
			return 0, false, nil
		}
		length := int32(binary.BigEndian.Uint32(b[4:]))
		if length < 0 {
			length = -length // the extended clipboard
		}
		if length < 0 || length > maxConsoleR {
			return 0, false, errUnknownMessage
		}
		return 8 + int(length), false, nil
	case 150: // EnableContinuousUpdates
		return 10, true, nil
	case 255: // QEMU's own: extended keys (0) and audio (1)
		if len(b) < 2 || b[1] == 1 && len(b) < 4 {
			return 0, false, nil
		}
		if b[1] == 0 {
			return 12, false, nil
		}
		if b[1] == 1 && b[3] == 2 {
			return 10, true, nil
		}
		return 4, true, nil
	}
	return 0, false, errUnknownMessage
}

var errUnknownMessage = fault.New(fault.Unsupported, "screen_message", "this viewer sends what a watcher's screen does not understand; take the console instead")
