package notify

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// post is an SMTP server that keeps what it takes. answer, when set, is asked before each mail is taken.
type post struct {
	mu     sync.Mutex
	mails  []string
	to     []string
	secure bool
	tls    bool // from the start
	answer func(n int) error
	tries  int
}

func (p *post) NewSession(c *smtp.Conn) (smtp.Session, error) {
	_, secure := c.TLSConnectionState()
	return &visit{post: p, secure: secure, conn: c}, nil
}

type visit struct {
	post   *post
	secure bool
	conn   *smtp.Conn
	to     string
}

func (v *visit) Reset()                                      {}
func (v *visit) Logout() error                               { return nil }
func (v *visit) Mail(from string, _ *smtp.MailOptions) error { return nil }
func (v *visit) Rcpt(to string, _ *smtp.RcptOptions) error   { v.to = to; return nil }

var errHangUp = errors.New("hang up")

func (v *visit) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	v.post.mu.Lock()
	defer v.post.mu.Unlock()
	v.post.tries++
	if v.post.answer != nil {
		if err := v.post.answer(v.post.tries); err != nil {
			if err == errHangUp {
				v.conn.Conn().Close()
			}
			return err
		}
	}
	v.post.mails, v.post.to, v.post.secure = append(v.post.mails, string(raw)), append(v.post.to, v.to), v.secure
	return nil
}

// listen starts the server on a free port, with a certificate of its own.
func (p *post) listen(t *testing.T, starttls bool) (address string, roots *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := smtp.NewServer(p)
	own := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	if starttls {
		s.TLSConfig = own
	}
	scheme := "smtp://"
	if p.tls {
		scheme, ln = "smtps://", tls.NewListener(ln, own)
	}
	var done sync.WaitGroup
	done.Go(func() { s.Serve(ln) }) //nolint:errcheck // ends with Close
	t.Cleanup(func() { s.Close(); done.Wait() })
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return scheme + ln.Addr().String(), &tls.Config{RootCAs: pool}
}

var letter = Mail{ID: "tok-1", Kind: Reset, To: "ada@example.org", Created: time.Now(),
	Data: Data{Name: "ada", Link: "https://cloud.example.org/auth/reset-password#secret-1", Ends: "30 minutes", Console: "https://cloud.example.org"}}

func ready() error { return nil }

func TestSend_speaksSTARTTLSAndSendsTextAndHTML(t *testing.T) {
	p := &post{}
	address, roots := p.listen(t, true)
	s, err := newSMTP(address, "NovaCron <cloud@example.org>", roots)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(context.Background(), letter, ready); err != nil {
		t.Fatal(err)
	}
	raw := strings.ReplaceAll(p.mails[0], "=\r\n", "")
	for _, want := range []string{"text/plain", "text/html", "secret-1", "Subject: Choose a new password", "tok-1@example.org", "Auto-Submitted: auto-generated"} {
		if !strings.Contains(raw, want) {
			t.Errorf("%q is missing in\n%s", want, raw)
		}
	}
	if !p.secure || p.to[0] != letter.To {
		t.Errorf("encrypted %v, to %s", p.secure, p.to[0])
	}
}

func TestSend_speaksTLSFromTheStart(t *testing.T) {
	p := &post{tls: true}
	address, roots := p.listen(t, false)
	s, err := newSMTP(address, "NovaCron <cloud@example.org>", roots)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(context.Background(), letter, ready); err != nil || len(p.mails) != 1 || !p.secure {
		t.Errorf("got %v, %d mails, encrypted %v", err, len(p.mails), p.secure)
	}
}

func TestSend_refusesAServerWithoutTLSElsewhereThanOnTheLoopback(t *testing.T) {
	p := &post{}
	address, roots := p.listen(t, false)
	s, err := newSMTP(address, "cloud@example.org", roots) // with roots: as if it were far away
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(context.Background(), letter, ready); err == nil || len(p.mails) != 0 {
		t.Errorf("got %v and %d mails, want a refusal", err, len(p.mails))
	}
	near, err := NewSMTP(address, "cloud@example.org")
	if err != nil {
		t.Fatal(err)
	}
	if err := near.Send(context.Background(), letter, ready); err != nil || len(p.mails) != 1 {
		t.Errorf("on the loopback: got %v and %d mails", err, len(p.mails))
	}
}

func TestSend_tellsForNowFromForGoodFromUncertain(t *testing.T) {
	for name, c := range map[string]struct {
		answer           error
		final, uncertain bool
	}{
		"for now":           {&smtp.SMTPError{Code: 451, Message: "later"}, false, false},
		"for good":          {&smtp.SMTPError{Code: 554, Message: "no"}, true, false},
		"a broken line":     {errHangUp, false, true},
		"taken all the way": {nil, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := &post{answer: func(int) error { return c.answer }}
			address, _ := p.listen(t, false)
			s, err := NewSMTP(address, "cloud@example.org")
			if err != nil {
				t.Fatal(err)
			}
			err = s.Send(context.Background(), letter, ready)
			if (err != nil) != (c.answer != nil) || isFinal(err) != c.final || isUncertain(err) != c.uncertain {
				t.Errorf("got %v, final %v, uncertain %v", err, isFinal(err), isUncertain(err))
			}
		})
	}
}

func TestRender_ofEveryKindAndNothingOfAUserInAHeaderOrLink(t *testing.T) {
	for kind := range subjects {
		d := letter.Data
		d.Name, d.Agent = "eve\r\nBcc: all@example.org\n\n<script>alert(1)</script>", "https://evil.example/ "+strings.Repeat("a", 500)
		m, err := Render(kind, d)
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		if strings.ContainsAny(m.Subject, "\r\n") || strings.Contains(m.HTML, "<script") || strings.Contains(m.Text, "\nBcc") || strings.Contains(m.Text, "https://evil") {
			t.Errorf("%s: got %+v", kind, m)
		}
		if strings.Contains(m.Text, d.Link) && !strings.Contains(m.HTML, `href="`+d.Link+`"`) {
			t.Errorf("%s: the link is missing in\n%s", kind, m.HTML)
		}
	}
	if _, err := Render("unknown", Data{}); err == nil {
		t.Error("an unknown kind was rendered")
	}
}

func TestNewSMTP_refusesWhatItCannotUse(t *testing.T) {
	for _, bad := range [][2]string{{"http://x", "a@b.org"}, {"smtp://", "a@b.org"}, {"smtp://x:y", "a@b.org"}, {"smtp://x", "no address"}, {"smtp://x", "a@b.org\r\nBcc: c@d.org"}} {
		if _, err := NewSMTP(bad[0], bad[1]); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestBackoff_growsAndIsBounded(t *testing.T) {
	for attempts, want := range map[int]time.Duration{0: 5 * time.Second, 1: 5 * time.Second, 2: 10 * time.Second, 5: 80 * time.Second, 50: longPause} {
		if got := Backoff(attempts); got != want {
			t.Errorf("after %d: got %s, want %s", attempts, got, want)
		}
	}
}
