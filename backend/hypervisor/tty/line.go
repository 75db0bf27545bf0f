// Package tty keeps one side of a guest's serial line: what the guest wrote last, a bounded log of it on disk, and the people
// who look at it. The guest is never held up: a reader that does not keep up is dropped, a disk that is full only costs the
// log. It deliberately knows no hypervisor; both drivers feed it.
package tty

import (
	"errors"
	"io"
	"sync"
)

// Limits of one line.
const (
	maxReaders = 8       // people who look at one console at the same time
	readerLag  = 1 << 20 // bytes that a reader may be behind before it is dropped
)

// Errors that a reader can meet.
var (
	ErrSlow = errors.New("this console was too slow to follow the guest's output and was closed; open it again")
	ErrMany = errors.New("this serial line has 8 readers already; close one of them")
)

// Line is a serial line. The zero value is not usable; see New.
type Line struct {
	mu      sync.Mutex
	recent  []byte // the last bytes that the guest wrote, at most limit
	limit   int
	log     *Log // nil: none
	readers map[*reader]struct{}
	input   func([]byte) (int, error)
	ended   bool
}

// New makes a line that remembers the last limit bytes. log may be nil. What readers type goes to input, which must not call
// back into the line with its lock held by the caller.
func New(limit int, log *Log, input func([]byte) (int, error)) *Line {
	l := &Line{limit: limit, log: log, input: input}
	if log != nil {
		l.recent = log.Tail(limit)
	}
	return l
}

// Output takes bytes from the guest. It never blocks on a reader.
func (l *Line) Output(p []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remember(p)
	if l.log != nil {
		l.log.Append(p)
	}
	for r := range l.readers {
		r.give(p)
		if r.err != nil {
			delete(l.readers, r)
		}
	}
}

// remember keeps the tail. It lets the slice grow to twice the limit before it moves bytes, so that the cost per byte of a
// flooding guest stays constant.
func (l *Line) remember(p []byte) {
	if len(p) >= l.limit {
		l.recent = append(l.recent[:0], p[len(p)-l.limit:]...)
		return
	}
	if len(l.recent)+len(p) > 2*l.limit {
		n := copy(l.recent, l.recent[len(l.recent)-l.limit+len(p):])
		l.recent = l.recent[:n]
	}
	l.recent = append(l.recent, p...)
}

// Recent gives a copy of what the guest wrote last.
func (l *Line) Recent() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]byte(nil), l.tail()...)
}

func (l *Line) tail() []byte { return l.recent[max(0, len(l.recent)-l.limit):] }

// Open gives a new reader: first what the guest wrote last, then what it writes from now on. Writes go to the guest.
func (l *Line) Open() (io.ReadWriteCloser, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.readers) >= maxReaders {
		return nil, ErrMany
	}
	r := &reader{line: l, pending: append([]byte(nil), l.tail()...)}
	r.more.L = &r.mu
	if l.ended {
		r.err = io.EOF
		return r, nil
	}
	if l.readers == nil {
		l.readers = map[*reader]struct{}{}
	}
	l.readers[r] = struct{}{}
	return r, nil
}

// Close ends every reader with io.EOF behind what it has not read yet, and closes the log.
func (l *Line) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	l.ended = true
	for r := range l.readers {
		r.end(io.EOF)
	}
	l.readers = nil
	if l.log != nil {
		l.log.Close()
	}
}

// reader is one console. Its lock is taken inside the line's, never the other way round.
type reader struct {
	line    *Line
	mu      sync.Mutex
	more    sync.Cond
	pending []byte
	err     error // why nothing more comes
}

func (r *reader) give(p []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.pending)+len(p) > readerLag+r.line.limit {
		r.pending, r.err = nil, ErrSlow
	} else if r.err == nil {
		r.pending = append(r.pending, p...)
	}
	r.more.Broadcast()
}

func (r *reader) end(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
	r.more.Broadcast()
}

// Read waits for output of the guest.
func (r *reader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.pending) == 0 && r.err == nil {
		r.more.Wait()
	}
	if len(r.pending) == 0 {
		return 0, r.err
	}
	n := copy(p, r.pending)
	if r.pending = r.pending[n:]; len(r.pending) == 0 {
		r.pending = nil
	}
	return n, nil
}

// Write types into the guest.
func (r *reader) Write(p []byte) (int, error) {
	r.mu.Lock()
	err := r.err
	r.mu.Unlock()
	if err != nil {
		return 0, err
	}
	return r.line.input(p)
}

// Close ends this reader only.
func (r *reader) Close() error {
	r.line.mu.Lock()
	delete(r.line.readers, r)
	r.line.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending, r.err = nil, io.ErrClosedPipe
	r.more.Broadcast()
	return nil
}
