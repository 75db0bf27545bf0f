package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"novacron/backend/api"
	"novacron/backend/core/rate"
	"novacron/backend/core/wire"
)

// Limits of every HTTP listener.
const (
	headerTimeout = 10 * time.Second // a client that sends its request slower is cut off
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10
	pageTimeout   = time.Minute // for one file of the console, over a bad line
)

// serve lets the ports answer.
func (s *Server) serve() error {
	var certificate *tls.Config
	if s.o.TLSCert != "" {
		reload, err := newCertificate(s.o.TLSCert, s.o.TLSKey, s.o.Log)
		if err != nil {
			return err
		}
		certificate = reload.config()
	}
	for name, h := range map[string]http.Handler{"api": s.api.REST(), "ws": s.api.WS(), "console": s.console()} {
		ln, err := s.bounded(s.listeners[name])
		if err != nil {
			return err
		}
		s.run(name, ln, s.httpServer(h, certificate))
	}
	admin, err := s.adminListener()
	if err != nil {
		return err
	}
	s.run("admin", admin, s.api.Admin(api.AdminDeps{Status: s.Status, Down: s.order, RotateKeys: s.keyring.rotate,
		SecretKey: s.secretKeyChange, RotateSecretKey: s.rotateSecretKey, FinishSecretKey: s.finishSecretKey}))
	s.serving.Go(func() {
		if err := s.hub.Serve(s.listeners["node"]); err != nil && !errors.Is(err, net.ErrClosed) {
			s.fail(fmt.Errorf("node port: %w", err))
		}
	})
	return nil
}

// bounded lets each address hold so many connections to a port.
func (s *Server) bounded(ln net.Listener) (net.Listener, error) {
	most, err := count(s.o.LimitConns, "NOVACRON_LIMIT_CONNECTIONS")
	if err != nil || most == 0 {
		return ln, err
	}
	proxies, err := prefixes(s.o.TrustedProxies, "NOVACRON_TRUSTED_PROXIES")
	return api.Bound(ln, most, proxies), err
}

// count reads a number of connections; 0: off.
func count(text, setting string) (int, error) {
	if text == "off" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%s is %q; write a number of connections, or off", setting, text)
	}
	return n, nil
}

func (s *Server) httpServer(h http.Handler, certificate *tls.Config) *http.Server {
	// Its own copy: each server writes its protocols into it.
	return &http.Server{Handler: h, TLSConfig: certificate.Clone(), ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader}
}

func (s *Server) run(name string, ln net.Listener, h *http.Server) {
	s.servers = append(s.servers, h)
	s.serving.Go(func() {
		var err error
		if h.TLSConfig != nil {
			err = h.ServeTLS(ln, "", "")
		} else {
			err = h.Serve(ln)
		}
		if !errors.Is(err, http.ErrServerClosed) {
			s.fail(fmt.Errorf("%s port: %w", name, err))
		}
	})
}

func (s *Server) fail(err error) {
	select {
	case s.failed <- err:
	default: // one failure ends the server already
	}
}

// order takes an administrator's order to end.
func (s *Server) order(guests bool) {
	select {
	case s.down <- guests:
	default:
	}
}

// console is the browser's one origin: the API and the WebSockets, and pages beside them.
func (s *Server) console() http.Handler {
	rest, pages := s.api.REST(), s.pages()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.api.Owns(r.URL.Path) {
			rest.ServeHTTP(w, r)
			return
		}
		s.api.StayEncrypted(w, r)
		// A connection that the API used before keeps the deadline of its last answer. An error means that none can be set.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(pageTimeout))
		pages.ServeHTTP(w, r)
	})
}

func (s *Server) adminListener() (net.Listener, error) {
	if s.o.Outside.Listen != nil {
		return s.o.Outside.Listen("admin")
	}
	name := s.paths.AdminSocket()
	// The lock of the data folder is held: whatever socket is there belongs to a process that has ended.
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	ln, err := net.Listen("unix", name)
	if err != nil {
		return nil, fmt.Errorf("local socket: %w", err)
	}
	return ln, os.Chmod(name, 0o600)
}

// Status says what runs.
func (s *Server) Status(ctx context.Context) wire.ServerStatus {
	return wire.ServerStatus{Version: s.o.Version, PID: os.Getpid(), StartedAt: s.started, Addresses: s.Addresses(), PublicURL: s.o.PublicURL, DataDir: s.paths.Data, Reasons: s.reasons(ctx)}
}

// Addresses says where the server listens: api, ws, console and node.
func (s *Server) Addresses() map[string]string {
	out := map[string]string{}
	for name, ln := range s.listeners {
		out[name] = ln.Addr().String()
	}
	return out
}

func (s *Server) limits() (api.Limits, error) {
	l := api.DefaultLimits
	for _, x := range []struct {
		text, name string
		to         *rate.Limit
	}{
		{s.o.LimitLogin, "NOVACRON_LIMIT_LOGIN", &l.Login}, {s.o.LimitRegister, "NOVACRON_LIMIT_REGISTER", &l.Register}, {s.o.LimitAPI, "NOVACRON_LIMIT_API", &l.API},
	} {
		parsed, err := rate.Parse(x.text)
		if err != nil {
			return l, fmt.Errorf("%s: %w", x.name, err)
		}
		*x.to = parsed
	}
	n, err := count(s.o.LimitWS, "NOVACRON_LIMIT_WS")
	l.WS = n
	return l, err
}

// origins are those that browsers may come from beside the public URL: the console's port under the names of this machine's loopback.
func (s *Server) origins() []string {
	_, port, _ := net.SplitHostPort(s.listeners["console"].Addr().String())
	scheme := "http"
	if s.o.TLSCert != "" {
		scheme = "https"
	}
	out := []string{scheme + "://localhost:" + port, scheme + "://127.0.0.1:" + port}
	for o := range strings.SplitSeq(s.o.AllowedOrigins, ",") {
		if o = strings.TrimSpace(o); o != "" {
			out = append(out, o)
		}
	}
	return out
}

// joinWith gives the token for a machine that joins and what to type there. The token names this installation's authority, so that
// the machine tells it to nobody else.
func (s *Server) joinWith(secret string) (token, command string) {
	token = s.ca.Token(secret)
	return token, "novacron agent --server " + s.joinAddress() + " --join " + token
}

// joinAddress is what a joining machine dials: the host of the public URL, or this machine's name when that is loopback.
func (s *Server) joinAddress() string {
	host, port, err := net.SplitHostPort(s.listeners["node"].Addr().String())
	if err != nil {
		return s.o.NodeAddr
	}
	if ip := net.ParseIP(host); ip != nil && !ip.IsUnspecified() {
		return net.JoinHostPort(host, port)
	}
	name, err := os.Hostname()
	if err != nil {
		name = "localhost"
	}
	return net.JoinHostPort(name, port)
}
