package agent

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/core/id"
	"novacron/backend/core/vm"
)

// board holds the newest report of every VM and hands it to readers. Posting never waits for a reader: a reader that is slow
// finds the newest report per VM, so what waits for it is bounded by the number of VMs.
type board struct {
	mu      sync.Mutex
	now     map[id.VM]*vm.Seen
	whole   bool // now has every VM of the node
	readers map[*reader]struct{}
}

type reader struct {
	waiting map[id.VM]*vm.Seen // guarded by board.mu, like all but wake
	first   map[id.VM]struct{} // VMs whose first report is still to be handed over before the mark
	marked  bool               // the mark was handed over
	wake    chan struct{}      // one token: something waits
}

// maxReaders bounds the subscribers of one node: one per server, and some that are about to notice that they are cut off.
const maxReaders = 64

func newBoard() *board {
	return &board{now: map[id.VM]*vm.Seen{}, readers: map[*reader]struct{}{}}
}

// post makes s the VM's report. s is not changed afterwards. An absent VM is told once and then forgotten.
func (b *board) post(s *vm.Seen) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.State == vm.SeenAbsent {
		delete(b.now, s.VM)
	} else {
		b.now[s.VM] = s
	}
	for r := range b.readers {
		r.waiting[s.VM] = s
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
}

// complete says that every VM of the node was posted. Readers from before get the mark behind what waits for them.
func (b *board) complete() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.whole = true
	for r := range b.readers {
		r.expect()
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
}

// expect notes what must be handed over before the mark.
func (r *reader) expect() {
	r.first = make(map[id.VM]struct{}, len(r.waiting))
	for v := range r.waiting {
		r.first[v] = struct{}{}
	}
}

// subscribe gives all present reports and then each change, until ctx or alive ends.
func (b *board) subscribe(ctx context.Context, closed <-chan struct{}) (<-chan vm.Seen, error) {
	r := &reader{waiting: map[id.VM]*vm.Seen{}, wake: make(chan struct{}, 1)}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.readers) >= maxReaders {
		return nil, fault.New(fault.RateLimited, "too_many_readers", "%d readers follow the reports of this node already; close one", maxReaders).After(time.Second)
	}
	b.readers[r] = struct{}{}
	for v, s := range b.now {
		r.waiting[v] = s
	}
	r.expect()
	r.wake <- struct{}{}
	out := make(chan vm.Seen)
	go b.deliver(ctx, closed, r, out)
	return out, nil
}

func (b *board) deliver(ctx context.Context, closed <-chan struct{}, r *reader, out chan<- vm.Seen) {
	defer close(out)
	defer func() {
		b.mu.Lock()
		delete(b.readers, r)
		b.mu.Unlock()
	}()
	for {
		select {
		case <-r.wake:
		case <-ctx.Done():
			return
		case <-closed:
			return
		}
		for s := b.next(r); s != nil; s = b.next(r) {
			select {
			case out <- *s:
			case <-ctx.Done():
				return
			case <-closed:
				return
			}
		}
	}
}

// next takes one waiting report or the mark, nil when none waits.
func (b *board) next(r *reader) *vm.Seen {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.whole && !r.marked && len(r.first) == 0 {
		r.marked, r.first = true, nil
		return &vm.Seen{}
	}
	for v, s := range r.waiting {
		delete(r.waiting, v)
		delete(r.first, v)
		return s
	}
	return nil
}

// sequence numbers reports. It grows across restarts without a write per report: numbers are reserved on the disk in
// blocks, and a restart begins behind the last block.
type sequence struct {
	mu       sync.Mutex
	path     string
	noSync   bool
	next     int64
	reserved int64
}

// sequenceBlock is how many numbers one write reserves; a crash skips at most so many of 2^63.
const sequenceBlock = 1 << 20

func (s *sequence) open(now time.Time) error {
	raw, err := os.ReadFile(s.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	n, parseErr := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
	if err != nil || parseErr != nil || n < 0 {
		// The file is new, lost with its disk, or damaged. Nanoseconds since 1970 are greater than any number of reports that a
		// node has made.
		n = now.UnixNano()
	}
	s.next, s.reserved = n, n
	return s.reserve()
}

// take gives the next number. It reserves more while half a block is left, so that a full disk must last for half a million
// reports before a restart could repeat a number.
func (s *sequence) take() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	if s.next >= s.reserved-sequenceBlock/2 && (s.next%1024 == 0 || s.next >= s.reserved) {
		_ = s.reserve() // tried again with the next number
	}
	return s.next
}

func (s *sequence) reserve() error {
	upTo := s.next + sequenceBlock
	if err := replaceFile(s.path, []byte(strconv.FormatInt(upTo, 10)+"\n"), s.noSync); err != nil {
		return diskError(err, "number its reports")
	}
	s.reserved = upTo
	return nil
}
