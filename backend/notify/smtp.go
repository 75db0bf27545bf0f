package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"novacron/backend/core/fault"
)

// SMTP sends through one server.
type SMTP struct {
	host, from string
	options    []mail.Option
}

// smtpTime bounds each step of a conversation.
const smtpTime = 15 * time.Second

// NewSMTP reads a URL: smtp://user:password@host:587 demands STARTTLS, smtps://host:465 speaks TLS from the start. On the loopback
// an smtp:// server without STARTTLS is taken as well, since nobody stands between; elsewhere only with ?tls=none. from is
// the sender's address.
func NewSMTP(address, from string) (*SMTP, error) { return newSMTP(address, from, nil) }

func newSMTP(address, from string, roots *tls.Config) (*SMTP, error) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" {
		return nil, errors.New("NOVACRON_SMTP_URL must look like smtp://user:password@host:587 or smtps://user:password@host:465")
	}
	if err := mail.NewMsg().From(from); err != nil {
		return nil, fmt.Errorf("NOVACRON_SMTP_FROM %q is not an e-mail address like NovaCron <cloud@example.org>", from)
	}
	config := &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	if roots != nil {
		config.RootCAs = roots.RootCAs
	}
	port, options := 587, []mail.Option{mail.WithTimeout(smtpTime)}
	switch {
	case u.Scheme == "smtps":
		port, options = 465, append(options, mail.WithSSL())
	case u.Query().Get("tls") == "none":
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	case loopback(u.Hostname()) && roots == nil:
		config.InsecureSkipVerify = true // it never leaves this machine
		options = append(options, mail.WithTLSPolicy(mail.TLSOpportunistic))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if u.Port() != "" {
		if port, err = strconv.Atoi(u.Port()); err != nil {
			return nil, fmt.Errorf("NOVACRON_SMTP_URL has the port %q", u.Port())
		}
	}
	options = append(options, mail.WithPort(port), mail.WithTLSConfig(config))
	if u.User != nil {
		password, _ := u.User.Password()
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(u.User.Username()), mail.WithPassword(password))
	}
	s := &SMTP{host: u.Hostname(), from: from, options: options}
	_, err = mail.NewClient(s.host, s.options...)
	return s, err
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// Send implements Sender.
func (s *SMTP) Send(ctx context.Context, m Mail, begin func() error) error {
	msg, err := s.message(m)
	if err != nil {
		return final{err}
	}
	c, err := mail.NewClient(s.host, s.options...)
	if err != nil {
		return err
	}
	if err := c.DialWithContext(ctx); err != nil {
		return fmt.Errorf("connect to the mail server: %w", err)
	}
	defer c.Close() //nolint:errcheck // the mail's own fate is known by then
	if err := begin(); err != nil {
		return err
	}
	return judged(c.Send(msg))
}

func (s *SMTP) message(m Mail) (*mail.Msg, error) {
	content, err := Render(m.Kind, m.Data)
	if err != nil {
		return nil, err
	}
	msg := mail.NewMsg()
	if err := errors.Join(msg.From(s.from), msg.To(m.To)); err != nil {
		return nil, fmt.Errorf("address: %w", err)
	}
	msg.Subject(content.Subject)
	// The same id for every try: a server or mailbox that looks at it shows the mail once, whatever happens.
	msg.SetMessageIDWithValue(m.ID + "@" + s.domain())
	msg.SetDateWithValue(m.Created)
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetBodyString(mail.TypeTextPlain, content.Text)
	msg.AddAlternativeString(mail.TypeTextHTML, content.HTML)
	return msg, nil
}

func (s *SMTP) domain() string {
	_, domain, ok := strings.Cut(strings.TrimSuffix(s.from, ">"), "@")
	if !ok {
		return "novacron"
	}
	return domain
}

// final is an error that no further try mends; uncertain one after which nobody knows whether the mail was taken.
type (
	final     struct{ error }
	uncertain struct{ error }
)

func isFinal(err error) bool     { return errors.As(err, new(final)) }
func isUncertain(err error) bool { return errors.As(err, new(uncertain)) }

// judged reads a server's answer. A code is a clear refusal, 4xx for now and 5xx for good. Without one the connection broke: before
// the data ended nothing was taken, at its end nobody can tell.
func judged(err error) error {
	refused, ok := errors.AsType[*mail.SendError](err)
	switch {
	case err == nil:
		return nil
	case !ok:
		return uncertain{err}
	case refused.Reason == mail.ErrSMTPReset:
		return nil // the mail was taken; the server only did not like what came after
	case refused.ErrorCode() >= 500:
		return final{err}
	case refused.ErrorCode() == 0 && (refused.Reason == mail.ErrSMTPDataClose || refused.Reason == mail.ErrAmbiguous || refused.Reason == mail.ErrWriteContent):
		return uncertain{err}
	}
	return err
}

// Check connects to the server and signs in, and sends nothing.
func (s *SMTP) Check(ctx context.Context) error {
	c, err := mail.NewClient(s.host, s.options...)
	if err != nil {
		return err
	}
	if err := c.DialWithContext(ctx); err != nil {
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			return fault.Wrap(err, fault.Unavailable, "smtp_timeout", "the mail server %s does not answer; check NOVACRON_SMTP_URL", s.host)
		}
		return fault.Wrap(err, fault.Unavailable, "smtp_unavailable", "the mail server %s cannot be used; check NOVACRON_SMTP_URL", s.host)
	}
	return c.Close()
}
