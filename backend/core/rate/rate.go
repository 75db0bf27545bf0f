// Package rate decides how often something may happen: a sliding window of event times, counted exactly. It is pure; who
// keeps the windows passes the time in.
package rate

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// MaxEvents bounds the count of a limit, and so the size of a window.
const MaxEvents = 10_000

// Limit allows Events within any span of Window. The zero Limit allows everything.
type Limit struct {
	Events int
	Window time.Duration
}

// Off reports whether everything is allowed.
func (l Limit) Off() bool { return l.Events == 0 }

// String is the form that Parse reads.
func (l Limit) String() string {
	if l.Off() {
		return "off"
	}
	return fmt.Sprintf("%d/%s", l.Events, l.Window)
}

// Parse reads "5/1m" (five in any minute), "10" (ten per minute) and "off".
func Parse(s string) (Limit, error) {
	if s == "off" {
		return Limit{}, nil
	}
	count, span, has := strings.Cut(s, "/")
	events, err := strconv.Atoi(count)
	if err != nil || events < 1 || events > MaxEvents {
		return Limit{}, fmt.Errorf("a limit is like 5/1m or off, with 1 to %d events; got %q", MaxEvents, s)
	}
	window := time.Minute
	if has {
		if span != "" && (span[0] < '0' || span[0] > '9') {
			span = "1" + span // "5/m"
		}
		if window, err = time.ParseDuration(span); err != nil || window < time.Second || window > 24*time.Hour {
			return Limit{}, fmt.Errorf("a limit is like 5/1m or off, with a window from 1s to 24h; got %q", s)
		}
	}
	return Limit{Events: events, Window: window}, nil
}

// Verdict is what Take decided.
type Verdict struct {
	Allowed   bool          // all events that were asked for
	Remaining int           // further events that would be allowed now
	Reset     time.Duration // until the oldest event leaves the window, when one more is allowed
}

// Window is the times of the events within a limit's span, oldest first, in Unix microseconds.
type Window []int64

// Take drops what has left the window and counts n events, or as many of them as there is room for. Times ahead of now (a clock that
// was set back) are dropped too: they would lock the key for as long as the clock was wrong.
func (w Window) Take(now time.Time, l Limit, n int) (Window, Verdict) {
	at, oldest := now.UnixMicro(), now.Add(-l.Window).UnixMicro()
	kept := make(Window, 0, min(len(w)+n, l.Events))
	for _, t := range w {
		if t > oldest && t <= at {
			kept = append(kept, t)
		}
	}
	allowed := len(kept)+n <= l.Events
	for range n {
		if len(kept) < l.Events {
			kept = append(kept, at)
		}
	}
	// The setting may have become smaller since the events were counted: room comes when all but Events-1 have left.
	first := kept[max(0, len(kept)-l.Events)]
	reset := time.UnixMicro(first).Add(l.Window).Sub(now)
	return kept, Verdict{Allowed: allowed, Remaining: max(0, l.Events-len(kept)), Reset: reset}
}

// DecodeWindow reads what Encode wrote; anything else is an empty window.
func DecodeWindow(text string) Window {
	raw, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(raw)%8 != 0 {
		return nil
	}
	w := make(Window, 0, len(raw)/8)
	for ; len(raw) > 0; raw = raw[8:] {
		w = append(w, int64(binary.BigEndian.Uint64(raw)))
	}
	return w
}

// Encode gives the window as text: eight bytes per event in base 64.
func (w Window) Encode() string {
	raw := make([]byte, 0, 8*len(w))
	for _, t := range w {
		raw = binary.BigEndian.AppendUint64(raw, uint64(t))
	}
	return base64.RawStdEncoding.EncodeToString(raw)
}
