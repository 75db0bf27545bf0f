package session

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Limit allows Events within any span of Window. The zero Limit allows everything.
type Limit struct {
	Events int
	Window time.Duration
}

// Off reports whether everything is allowed.
func (l Limit) Off() bool { return l.Events == 0 }

// String is the form that ParseLimit reads.
func (l Limit) String() string {
	if l.Off() {
		return "off"
	}
	return fmt.Sprintf("%d/%s", l.Events, l.Window)
}

// ParseLimit reads "5/1m" (five in any minute), "10" (ten per minute) and "off".
func ParseLimit(s string) (Limit, error) {
	if s == "off" {
		return Limit{}, nil
	}
	count, span, has := strings.Cut(s, "/")
	events, err := strconv.Atoi(count)
	if err != nil || events < 1 || events > maxWindowEvents {
		return Limit{}, fmt.Errorf("a limit is like 5/1m or off, with 1 to %d events; got %q", maxWindowEvents, s)
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
	Allowed   bool
	Remaining int           // further events that would be allowed now
	Reset     time.Duration // until the oldest event leaves the window, when one more is allowed
}

// window is the times of the events within a limit's span, oldest first, in Unix microseconds.
type window []int64

// take drops what has left the window and counts one event if there is room. Times ahead of now (a clock that was set back)
// are dropped too: they would lock the key for as long as the clock was wrong.
func (w window) take(now time.Time, l Limit) (window, Verdict) {
	at, oldest := now.UnixMicro(), now.Add(-l.Window).UnixMicro()
	kept := make(window, 0, min(len(w)+1, l.Events))
	for _, t := range w {
		if t > oldest && t <= at {
			kept = append(kept, t)
		}
	}
	allowed := len(kept) < l.Events
	if allowed {
		kept = append(kept, at)
	}
	// The setting may have become smaller since the events were counted: room comes when all but Events-1 have left.
	first := kept[max(0, len(kept)-l.Events)]
	reset := time.UnixMicro(first).Add(l.Window).Sub(now)
	return kept, Verdict{Allowed: allowed, Remaining: max(0, l.Events-len(kept)), Reset: reset}
}

// decodeWindow reads what encode wrote; anything else is an empty window.
func decodeWindow(text string) window {
	raw, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(raw)%8 != 0 {
		return nil
	}
	w := make(window, 0, len(raw)/8)
	for ; len(raw) > 0; raw = raw[8:] {
		w = append(w, int64(binary.BigEndian.Uint64(raw)))
	}
	return w
}

func (w window) encode() string {
	raw := make([]byte, 0, 8*len(w))
	for _, t := range w {
		raw = binary.BigEndian.AppendUint64(raw, uint64(t))
	}
	return base64.RawStdEncoding.EncodeToString(raw)
}
