package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"novacron/backend/core/auth"
	"novacron/backend/core/fault"
	"novacron/backend/core/wire"
)

// AdminDeps is what the local socket offers.
type AdminDeps struct {
	Status func(context.Context) wire.ServerStatus
	Down   func(guests bool) // begins to end the server; returns at once
	// RotateKeys makes a new signing key; forget removes the others with the tokens that they signed. nil: it is not offered.
	RotateKeys func(ctx context.Context, forget bool) error
	// SecretKey tells of the key that encrypts secrets at rest, RotateSecretKey changes it, and FinishSecretKey ends the change.
	SecretKey, RotateSecretKey, FinishSecretKey func(context.Context) (wire.SecretKeyChange, error)
}

type peerKey struct{}

// Admin serves the local socket of this machine's administrator: root and the server's own user, as the kernel names the
// peer. Everybody else is refused whatever the socket's mode is. Serve it on a unix listener.
func (a *API) Admin(d AdminDeps) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) { reply(w, d.Status(r.Context())) })
	mux.HandleFunc("POST /users", func(w http.ResponseWriter, r *http.Request) {
		var in wire.CreateUser
		if err := read(r, &in); err != nil {
			writeProblem(w, r, err)
			return
		}
		u, err := a.Accounts.Create(r.Context(), auth.Platform("admin socket"), in)
		if err != nil {
			writeProblem(w, r, err)
			return
		}
		reply(w, u)
	})
	mux.HandleFunc("POST /setup-link", func(w http.ResponseWriter, r *http.Request) {
		link, err := a.SetupLink(r.Context())
		if err != nil {
			writeProblem(w, r, err)
			return
		}
		reply(w, link)
	})
	mux.HandleFunc("POST /rotate-keys", func(w http.ResponseWriter, r *http.Request) {
		var in wire.RotateKeys
		err := read(r, &in)
		if err == nil && d.RotateKeys == nil {
			err = fault.New(fault.Unsupported, "rotate_keys", "this server does not keep its signing keys")
		}
		if err == nil {
			err = d.RotateKeys(r.Context(), in.ForgetOld)
		}
		if err != nil {
			writeProblem(w, r, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /end-sessions", func(w http.ResponseWriter, r *http.Request) {
		// As long as there are some to end. An error means that no deadline can be set.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
		if err := a.Accounts.EndEverybodysSessions(r.Context(), auth.Platform("admin socket")); err != nil {
			writeProblem(w, r, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	for pattern, f := range map[string]func(context.Context) (wire.SecretKeyChange, error){
		"GET /secret-key": d.SecretKey, "POST /secret-key/rotate": d.RotateSecretKey, "POST /secret-key/finish": d.FinishSecretKey,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			// As long as there is something to encrypt. An error means that no deadline can be set.
			_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
			out, err := f(r.Context())
			settle(w, r, out, err)
		})
	}
	a.addAdminMail(mux)
	mux.HandleFunc("POST /down", func(w http.ResponseWriter, r *http.Request) {
		var in wire.Down
		if err := read(r, &in); err != nil {
			writeProblem(w, r, err)
			return
		}
		w.WriteHeader(http.StatusAccepted)
		d.Down(in.Guests)
	})
	return &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, &exchange{id: newRequestID(""), request: r, caller: "admin socket"}))
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			if err, _ := r.Context().Value(peerKey{}).(error); err != nil {
				writeProblem(w, r, err)
				return
			}
			mux.ServeHTTP(w, r)
		}),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, peerKey{}, checkPeer(c))
		},
		ReadHeaderTimeout: bodyTime, ReadTimeout: bodyTime, WriteTimeout: handlerTime + writeTime, MaxHeaderBytes: 64 << 10,
	}
}

// checkPeer asks the kernel who is at the other end.
func checkPeer(c net.Conn) error {
	refused := fault.New(fault.Forbidden, "admin_socket", "this socket is for root and the server's own user")
	u, ok := c.(*net.UnixConn)
	if !ok {
		return refused
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return refused
	}
	var cred *unix.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) { cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if errors.Join(err, credErr) != nil || cred.Uid != 0 && int(cred.Uid) != os.Geteuid() {
		return refused
	}
	return nil
}

// SetupLink makes a one-time link for the first sign-in. The secret stands behind the #, which browsers send to nobody. fault.Conflict:
// there is an administrator already.
func (a *API) SetupLink(ctx context.Context) (wire.SetupLink, error) {
	secret, ends, err := a.Accounts.IssueSetup(ctx)
	if err != nil {
		return wire.SetupLink{}, err
	}
	return wire.SetupLink{URL: strings.TrimRight(a.PublicURL, "/") + "/setup#" + secret, Token: secret, ExpiresAt: ends.UTC().Truncate(time.Second)}, nil
}

func read(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil && !errors.Is(err, io.EOF) {
		return fault.Wrap(err, fault.Invalid, "invalid", "the request is not the JSON that is expected here")
	}
	return nil
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v) // the peer may be gone
}
