package api

import (
	"net/http"

	"novacron/backend/core/auth"
	"novacron/backend/core/wire"
)

// addAdminMail adds mail and audit to the local socket.
func (a *API) addAdminMail(mux *http.ServeMux) {
	local := func(r *http.Request) auth.Caller {
		c := auth.Platform("admin socket")
		c.Request = requestID(r.Context())
		return c
	}
	mux.HandleFunc("GET /mails", func(w http.ResponseWriter, r *http.Request) {
		out, err := a.Accounts.Mails(r.Context(), local(r))
		settle(w, r, out, err)
	})
	mux.HandleFunc("POST /mails/test", func(w http.ResponseWriter, r *http.Request) {
		var in wire.TestMail
		if err := read(r, &in); err != nil {
			writeProblem(w, r, err)
			return
		}
		out, err := a.Accounts.TestMail(r.Context(), local(r), in.To)
		settle(w, r, out, err)
	})
	mux.HandleFunc("POST /mails/{id}/retry", func(w http.ResponseWriter, r *http.Request) {
		if err := a.Accounts.RetryMail(r.Context(), local(r), r.PathValue("id")); err != nil {
			writeProblem(w, r, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /audit/verify", func(w http.ResponseWriter, r *http.Request) {
		out, err := a.App.VerifyAudit(r.Context(), local(r))
		settle(w, r, out, err)
	})
}

func settle(w http.ResponseWriter, r *http.Request, out any, err error) {
	if err != nil {
		writeProblem(w, r, err)
		return
	}
	reply(w, out)
}
