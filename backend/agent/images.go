package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sync"
	"time"

	"novacron/backend/core/fault"
)

// pulls holds the images that are being fetched: callers of one digest share one transfer.
type pulls struct {
	mu   sync.Mutex
	byID map[string]*pull
}

type pull struct {
	mu      sync.Mutex
	done    float64
	changed chan struct{} // closed and made anew at each change of done
	ended   chan struct{}
	err     error // set before ended is closed
}

const (
	maxPulls      = 4       // images that are fetched at once: more only share the same line
	maxImageBytes = 1 << 40 // of one image
	pullTries     = 10      // breaks of the connection in a row without a single byte
)

var digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// EnsureImage implements API. The transfer goes on when the caller leaves: it will ask again.
func (a *Agent) EnsureImage(ctx context.Context, r ImageRequest, progress func(done float64)) error {
	if !digestForm.MatchString(r.Digest) {
		return fault.New(fault.Invalid, "digest_invalid", "%q is not a digest like sha256:…", truncate(r.Digest, 80))
	}
	if a.o.Images.Has(r.Digest) {
		return nil
	}
	if r.Bytes <= 0 || r.Bytes > maxImageBytes {
		return fault.New(fault.Invalid, "image_size_invalid", "an image has 1 to %d bytes, not %d", int64(maxImageBytes), r.Bytes)
	}
	p, err := a.pull(r)
	if err != nil {
		return err
	}
	for {
		p.mu.Lock()
		done, changed := p.done, p.changed
		p.mu.Unlock()
		if progress != nil {
			progress(done)
		}
		select {
		case <-changed:
		case <-p.ended:
			return p.err
		case <-ctx.Done():
			return fault.Wrap(ctx.Err(), fault.Unavailable, "still_working", "the node is still fetching the image; ask again")
		}
	}
}

// pull joins the transfer of an image or begins it.
func (a *Agent) pull(r ImageRequest) (*pull, error) {
	if a.o.Source == nil {
		return nil, fault.New(fault.NotFound, "image_not_on_node", "the node does not have the image %s and knows no place to fetch it from", r.Digest)
	}
	a.pulls.mu.Lock()
	defer a.pulls.mu.Unlock()
	if p := a.pulls.byID[r.Digest]; p != nil {
		return p, nil
	}
	if len(a.pulls.byID) >= maxPulls {
		return nil, fault.New(fault.Unavailable, "node_busy", "the node fetches %d images already; try again in a moment", maxPulls).After(5 * time.Second)
	}
	p := &pull{changed: make(chan struct{}), ended: make(chan struct{})}
	if a.pulls.byID == nil {
		a.pulls.byID = map[string]*pull{}
	}
	open := a.goWhileOpen(func(ctx context.Context) {
		p.err = a.receive(ctx, r, p)
		a.pulls.mu.Lock()
		delete(a.pulls.byID, r.Digest)
		a.pulls.mu.Unlock()
		close(p.ended)
	})
	if !open {
		return nil, errClosing()
	}
	a.pulls.byID[r.Digest] = p
	return p, nil
}

func (a *Agent) receive(ctx context.Context, r ImageRequest, p *pull) error {
	src := &resuming{ctx: ctx, source: a.o.Source, digest: r.Digest, left: r.Bytes}
	defer src.Close()
	_, err := a.o.Images.Receive(ctx, r.Digest, r.Bytes, src, func(done int64) { p.tell(float64(done) / float64(r.Bytes)) })
	if src.err != nil { // what the source said explains more than "unexpected EOF"
		return src.err
	}
	return err
}

// tell notes progress in steps of a thousandth: readers need no more.
func (p *pull) tell(done float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if done-p.done >= 0.001 || done >= 1 && p.done < 1 {
		p.done = min(done, 1)
		close(p.changed)
		p.changed = make(chan struct{})
	}
}

// resuming reads an image from its source and, when the connection breaks, goes on at the byte where it broke.
type resuming struct {
	ctx    context.Context
	source Source
	digest string
	at     int64
	left   int64
	from   io.ReadCloser
	tries  int
	err    error
}

func (s *resuming) Read(b []byte) (int, error) {
	for s.left > 0 {
		if s.from == nil {
			if err := s.reopen(); err != nil {
				return 0, err
			}
		}
		n, err := s.from.Read(b[:min(int64(len(b)), s.left)])
		s.at += int64(n)
		s.left -= int64(n)
		if n > 0 {
			s.tries = 0
		}
		if err != nil {
			s.Close()
		}
		if n > 0 || len(b) == 0 {
			return n, nil
		}
	}
	return 0, io.EOF
}

func (s *resuming) reopen() error {
	for {
		if s.tries++; s.tries > 1 {
			pause(s.ctx, min(time.Duration(s.tries)*200*time.Millisecond, 5*time.Second))
		}
		if err := s.ctx.Err(); err != nil {
			return err
		}
		from, err := s.source(s.ctx, s.digest, s.at)
		if err == nil && s.tries <= pullTries {
			s.from = from
			return nil
		}
		if err == nil {
			from.Close()
			err = errors.New("the source ends too early")
		}
		if s.tries > pullTries || !fault.Is(err, fault.Unavailable) {
			s.err = fmt.Errorf("fetch image: %w", err)
			return s.err
		}
	}
}

// Close closes the present connection.
func (s *resuming) Close() error {
	if s.from == nil {
		return nil
	}
	err := s.from.Close()
	s.from = nil
	return err
}
