package store_test

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"novacron/backend/core/fault"
	"novacron/backend/store"
	"novacron/backend/store/storetest"
)

// cable is a TCP connection to a server that can be made to hang, as a machine does that was suspended or cut off.
type cable struct {
	mu     sync.Mutex // held while it hangs
	target string
}

func (c *cable) serve(l net.Listener) {
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer in.Close() //nolint:errcheck // the peer sees it
			out, err := net.Dial("tcp", c.target)
			if err != nil {
				return
			}
			defer out.Close() //nolint:errcheck // likewise
			go c.copy(out, in)
			c.copy(in, out)
		}()
	}
}

func (c *cable) copy(to io.WriteCloser, from io.Reader) {
	defer to.Close() //nolint:errcheck // the peer sees it
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		c.mu.Lock() // waits while it hangs
		//lint:ignore SA2001 the lock is only waited for
		c.mu.Unlock()
		if err != nil {
			return
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

func TestPostgres_hangsAndComesBack(t *testing.T) {
	u, err := url.Parse(storetest.PostgresURL(t))
	if err != nil {
		t.Fatal("the database URL cannot be read")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nothing depends on it
	c := &cable{target: u.Host}
	go c.serve(l)
	u.Host = l.Addr().String()
	db := storetest.Open(t, store.Options{URL: u.String()})
	if err := emitOne(t.Context(), db); err != nil {
		t.Fatal(err)
	}

	c.mu.Lock()
	first := time.Now()
	if err := emitOne(t.Context(), db); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a call to a database that hangs: got %v, want unavailable", err)
	}
	if took := time.Since(first); took > promptly {
		t.Errorf("the first call took %v, want about a second", took)
	}
	errs := make(chan error, 20)
	then := time.Now()
	for range cap(errs) {
		go func() { errs <- emitOne(t.Context(), db) }()
	}
	for range cap(errs) - 1 { // one of them, or the poll, goes on to try
		if err := <-errs; !fault.Is(err, fault.Unavailable) {
			t.Errorf("a further call: got %v, want unavailable", err)
		}
	}
	if took := time.Since(then); took > promptly {
		t.Errorf("the further calls took %v, want no wait", took)
	}
	c.mu.Unlock()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		err := emitOne(t.Context(), db)
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("after the database came back: %v", err)
		}
	}
}
