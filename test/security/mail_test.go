package security

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"novacron/backend/store/storetest"
	"novacron/test/rig"
)

// postOffice is an SMTP server. It counts each mail that it takes by its recipient.
type postOffice struct {
	mu    sync.Mutex
	taken map[string]int
	data  func(to string) error // asked with the mail's content already read; nil: take it
}

func (p *postOffice) NewSession(*smtp.Conn) (smtp.Session, error) { return &counter{office: p}, nil }

type counter struct {
	office *postOffice
	to     string
}

func (*counter) Reset()                                      {}
func (*counter) Logout() error                               { return nil }
func (*counter) Mail(string, *smtp.MailOptions) error        { return nil }
func (c *counter) Rcpt(to string, _ *smtp.RcptOptions) error { c.to = to; return nil }

func (c *counter) Data(r io.Reader) error {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	c.office.mu.Lock()
	data := c.office.data
	c.office.mu.Unlock()
	if data != nil {
		if err := data(c.to); err != nil {
			return err
		}
	}
	c.office.mu.Lock()
	defer c.office.mu.Unlock()
	c.office.taken[c.to]++
	return nil
}

func (p *postOffice) judge(f func(to string) error) { p.mu.Lock(); defer p.mu.Unlock(); p.data = f }

// count says how many addresses got mail, and names those that got it more than once.
func (p *postOffice) count() (people int, twice []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for to, n := range p.taken {
		if people++; n > 1 {
			twice = append(twice, to)
		}
	}
	return people, twice
}

// open lets the office answer on the address, which nobody listens on yet.
func (p *postOffice) open(t *testing.T, address string) {
	t.Helper()
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := smtp.NewServer(p)
	var serving sync.WaitGroup
	serving.Go(func() { s.Serve(ln) }) //nolint:errcheck // ends with Close
	t.Cleanup(func() { s.Close(); serving.Wait() })
}

// TestMail_comesOnceAlthoughTheServerIsKilledWhileItLeaves: a mail server that is away, one that says "later", and kill -9 while the queue is
// being sent. Every mail comes, none twice, and the one that was on its way is listed rather than sent again.
func TestMail_comesOnceAlthoughTheServerIsKilledWhileItLeaves(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: starts the built program")
	}
	binary, err := rig.Build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, database := range map[string]string{"SQLite": "", "PostgreSQL": storetest.PostgresURL(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of it is waiting for the next try
			mailIsSentOnce(t, binary, database)
		})
	}
}

func mailIsSentOnce(t *testing.T, binary, database string) {
	const people = 12
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	office := &postOffice{taken: map[string]int{}}
	nobody, err := rig.FreeAddresses()
	if err != nil {
		t.Fatal(err)
	}
	start, base := mailer(t, ctx, binary, nobody.API, database)
	p := start()
	for i := range people {
		res, err := http.Post(base+"/api/auth/forgot-password", "application/json", strings.NewReader(fmt.Sprintf(`{"email":"p%d@example.org"}`, i)))
		if err != nil {
			t.Fatal(err)
		}
		if res.Body.Close(); res.StatusCode >= 300 {
			t.Fatalf("forgotten password %d: %s", i, res.Status)
		}
	}
	wait(t, ctx, "the mails wait, with what keeps them", func() bool {
		out, err := p.Run(ctx, "", "mail", "list")
		return err == nil && strings.Count(out, "@example.org") == people && strings.Contains(out, "connect to the mail server")
	})

	// The third mail is told "later"; the sixth is on its way when the server dies.
	hangs, die := make(chan string, 1), make(chan struct{})
	var tries int
	office.judge(func(to string) error {
		switch tries++; tries {
		case 3:
			return &smtp.SMTPError{Code: 451, Message: "later"}
		case 6:
			hangs <- to
			<-die
			return fmt.Errorf("the sender is gone")
		}
		return nil
	})
	office.open(t, nobody.API)
	var lost string
	select {
	case lost = <-hangs:
	case <-ctx.Done():
		t.Fatalf("no sixth mail was sent: %s", p.Output())
	}
	p.Kill()
	office.judge(nil)
	close(die)
	p = start()
	wait(t, ctx, "every other mail has come", func() bool { n, _ := office.count(); return n == people-1 })
	if _, twice := office.count(); len(twice) > 0 {
		t.Errorf("mail came more than once to %v", twice)
	}
	out, err := p.Run(ctx, "", "mail", "list")
	if err != nil {
		t.Fatal(err)
	}
	if i := strings.Index(out, lost); i < 0 || !strings.Contains(lineOf(out, lost), "sending") {
		t.Errorf("the mail to %s, which may have arrived, is not listed as being sent:\n%s", lost, out)
	}
}

func lineOf(text, part string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			return line
		}
	}
	return ""
}

// mailer starts the built program, which sends mail to the address, as often as it is called; the first end is up to the caller.
func mailer(t *testing.T, ctx context.Context, binary, smtpAddress, database string) (start func() *rig.Process, base string) {
	t.Helper()
	ports, err := rig.FreeAddresses()
	if err != nil {
		t.Fatal(err)
	}
	base = "http://" + ports.API
	spec := rig.Spec{Binary: binary, Args: []string{"server"}, Dir: t.TempDir(),
		Env: append(ports.Env(), "NOVACRON_SMTP_URL=smtp://"+smtpAddress, "NOVACRON_SMTP_FROM=cloud@example.org", "NOVACRON_DATABASE_URL="+database)}
	return func() *rig.Process {
		t.Helper()
		p, err := rig.Start(spec)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := p.Stop(); err != nil {
				t.Error(err)
			}
		})
		if err := p.WaitReady(ctx, base); err != nil {
			t.Fatal(err)
		}
		return p
	}, base
}

// wait polls until f holds.
func wait(t *testing.T, ctx context.Context, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not in time: %s", what)
		}
	}
}
